"""The outcome of a search, for people and for the next command: a table, a plot, and the best as settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from remora.evaluation.drawing import svg
from remora.tuning.search import COST, Trial, front


class SearchReport(BaseModel):
    """Trials of a search of a ``section`` of the settings, the best first; ``first`` is what those said before."""

    model_config = ConfigDict(frozen=True)

    name: str
    section: str
    metric: str
    trials: tuple[Trial, ...]
    first: dict[str, Any]

    @property
    def before(self) -> Trial | None:
        """The trial of the settings as they were."""
        return next((trial for trial in self.trials if trial.changes == self.first), None)

    @property
    def has_costs(self) -> bool:
        """Did trials say what a slate takes?"""
        return any(trial.costs for trial in self.trials)


def written(report: SearchReport) -> dict[str, bytes]:
    """The files of an outcome by name: report.json, report.md, search.svg, best.yaml."""
    return {
        "report.json": report.model_dump_json(indent=1).encode(),
        "report.md": markdown(report).encode(),
        "search.svg": plot(report),
        "best.yaml": yaml.safe_dump(_nested(report.section, report.trials[0].changes), sort_keys=True).encode(),
    }


def rows(report: SearchReport) -> list[list[str]]:
    """A row for each trial: rank, quality, epochs, seconds, what it changed, and how it ended."""
    most = max(trial.epochs for trial in report.trials)
    costs, best_for_their_cost = report.has_costs, front(report.trials)

    def ended(trial: Trial) -> str:
        if trial.failed:
            return f"failed: {trial.failed}"
        return "" if trial.epochs == most else "given up"

    return [
        [
            str(rank),
            f"{trial.best:.4f}",
            str(trial.epochs),
            f"{trial.seconds:.0f}",
            *([] if not costs else ["" if trial.cost is None else f"{trial.cost:.2f}"]),
            *(shown(trial.changes.get(name)) for name in report.first),
            "in the front " * (trial in best_for_their_cost) + "as before " * (trial == report.before) + ended(trial),
        ]
        for rank, trial in enumerate(report.trials, 1)
    ]


def header(report: SearchReport) -> list[str]:
    """Of :func:`rows`."""
    return ["", report.metric, "epochs", "seconds", *([COST] if report.has_costs else []), *report.first, ""]


def markdown(report: SearchReport) -> str:
    """The table, and what the search gained."""
    lines = [header(report), ["---:"] * len(header(report)), *rows(report)]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"# Search {report.name}\n\n{gained(report)}\n\n{table}\n\n![quality against time](search.svg)\n"


def gained(report: SearchReport) -> str:
    """The best trial beside the settings as they were, in words."""
    best, before = report.trials[0], report.before
    if before is None or not before.history:
        return f"The best of {len(report.trials)} trials reaches {report.metric} {best.best:.4f}."
    return (
        f"The best of {len(report.trials)} trials reaches {report.metric} {best.best:.4f}, the settings as they were "
        f"{before.best:.4f}."
    )


def plot(report: SearchReport) -> bytes:
    """Quality against seconds of training, a line for each trial, the best drawn strongest; SVG."""
    panels = 2 if report.has_costs else 1

    def draw(axes: Any) -> None:
        _histories(axes[0, 0], report)
        if report.has_costs:
            _front_plot(axes[0, 1], report)

    return svg(draw, columns=panels, size=(7 * panels, 4))


def _histories(axis: Any, report: SearchReport) -> None:
    for trial in reversed(report.trials):
        best = trial is report.trials[0]
        label = "the best" if best else "as before" if trial == report.before else None
        line: Mapping[str, Any] = {"linewidth": 2, "zorder": 3} if label else {"linewidth": 0.8, "color": "0.7"}
        seconds, quality = zip(*trial.history, strict=True) if trial.history else ((), ())
        axis.plot(seconds, quality, marker=".", label=label, **line)
    axis.set_xlabel("seconds of training")
    axis.set_ylabel(f"{report.metric} on validation")
    axis.legend()
    axis.grid(alpha=0.3)


def _front_plot(axis: Any, report: SearchReport) -> None:
    """Quality against what a slate costs; the front is joined."""
    known = [(trial.cost, trial.best) for trial in report.trials if trial.cost is not None]
    axis.scatter(*zip(*known, strict=True), s=12, color="0.6")
    best = sorted((trial.cost, trial.best) for trial in front(report.trials))
    axis.plot(*zip(*best, strict=True), marker="o", markersize=4)
    axis.set_xlabel("milliseconds for 500 candidates, one thread")
    axis.set_ylabel(report.metric)
    axis.grid(alpha=0.3)


def _nested(section: str, changes: dict[str, Any]) -> dict[str, Any]:
    """As they stand in a file of settings.

    >>> _nested("ranking.models.trees", {"max_depth": 4})
    {'ranking': {'models': {'trees': {'max_depth': 4}}}}
    """
    for name in reversed(section.split(".")):
        changes = {name: changes}
    return changes


def shown(value: Any) -> str:
    """One value for a person; a component with settings as ``ligr (layers 1, dropout 0.3)``.

    >>> shown({"type": "ligr", "layers": 1, "dropout": 0.3})
    'ligr (layers 1, dropout 0.3)'
    """
    if isinstance(value, Mapping) and "type" in value:
        own = ", ".join(f"{name} {shown(one)}" for name, one in value.items() if name != "type")
        return f"{value['type']} ({own})" if own else str(value["type"])
    return f"{value:.3g}" if isinstance(value, float) else str(value)
