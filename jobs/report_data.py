"""Say how good the lake is: ray job submit ... -- python jobs/report_data.py [CONFIG]."""

from __future__ import annotations

import sys

from remora.contracts.home import Home
from remora.ingest.data_quality import report
from remora.ingest.lake import Lake
from remora.settings import load
from remora.wiring.cluster import connect


def main(config: str | None = None) -> None:
    """Compute the quality report and print it as JSON."""
    settings = load(config)
    connect(settings)
    print(report(Lake.open(Home(settings.home)), settings).model_dump_json())


if __name__ == "__main__":
    main(*sys.argv[1:])
