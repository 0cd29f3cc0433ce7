"""The metrics that Remora exports, from their definitions, and the alerts over them, from deploy's rules."""

from __future__ import annotations

from pathlib import Path

import yaml
from ray.util.metrics import Counter, Gauge, Histogram, Metric

from docs.reference_pages.markdown import code, document, sentence, table
from remora.serving.metrics import SECONDS, ServingMetrics
from remora.workflow import node_exporter

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "remora_alerts.yml"
KINDS = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}

INTRODUCTION = """\
Replicas export their metrics through Ray's own exporter, which puts `ray_` before each name. Durations are in
seconds. Every label is of a small set: no user, item or request is in one. [Observe the
endpoint](../how-to/observe.md) says how to scrape them."""


TEXTFILE = """\
Gauges in the file that `retraining.textfile` names, for the textfile collector of node_exporter, with the label `name`
(that of the settings)."""

SEVERITIES = """\
Each has a severity (`page`: now, `ticket`: the next working day) and a runbook. `for` is how long the expression must
hold."""


def page() -> str:
    """The page."""
    return document(
        "Metrics and alerts",
        "`remora.serving.metrics`, `remora.workflow.node_exporter` and `deploy/prometheus`",
        INTRODUCTION,
        "## Of the endpoint",
        table(("metric", "kind", "labels", "meaning"), _serving()),
        f"Upper bounds of the buckets, in seconds: {', '.join(f'{bound:g}' for bound in SECONDS)}.",
        "## Of retraining",
        TEXTFILE,
        table(("metric", "meaning"), [(code(name), meaning) for name, meaning in node_exporter.METRICS.items()]),
        "## Alerts",
        SEVERITIES,
        *_alerts(),
    )


def _serving() -> list[tuple[str, str, str, str]]:
    defined = [metric for metric in vars(ServingMetrics()).values() if isinstance(metric, Metric)]
    rows = []
    for metric in defined:
        kind = next(name for cls, name in KINDS.items() if isinstance(metric, cls))
        labels = ", ".join(code(label) for label in metric.info["tag_keys"] if label not in ("deployment", "replica"))
        rows.append((code(f"ray_{metric.info['name']}"), kind, labels, sentence(metric.info["description"])))
    return sorted(rows)


def _alerts() -> list[str]:
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    rows = [
        (
            f"[{rule['alert']}](../{rule['annotations']['runbook_url'].removeprefix('docs/')})",
            rule["labels"]["severity"],
            rule.get("for", ""),
            rule["annotations"]["summary"],
            code(rule["expr"]),
        )
        for rule in rules
    ]
    return [table(("alert", "severity", "for", "meaning", "expression"), rows)]
