"""Judge the models on held-out time: ray job submit ... -- python jobs/evaluate_models.py [CONFIG]."""

from __future__ import annotations

import sys

from remora.settings import load
from remora.training.evaluation import evaluate, read_report
from remora.wiring.cluster import connect


def main(config: str | None = None) -> None:
    """Evaluate and print the report as JSON."""
    settings = load(config)
    connect(settings)
    print(read_report(evaluate(settings)).model_dump_json())


if __name__ == "__main__":
    main(*sys.argv[1:])
