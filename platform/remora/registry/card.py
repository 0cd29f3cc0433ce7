"""The model card: what a bundle is, from what it was made, how good it is for whom, and where it should not be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from remora.registry.lineage import Lineage

SURFACE = "surface"
LIMITS = (
    "Measured on what past users chose among what a past system showed them: the numbers compare systems, they do not "
    "foretell a business outcome. Only an experiment with users does.",
    "People and items that the data has little of get little from it: see the rows of new users and new items.",
    "It learns from behaviour, and so repeats its preferences; popularity bias above 0 means that slates are more "
    "popular than what people went on to choose.",
    "It is as fresh as its last event. Retrain when the catalogue or the behaviour has changed.",
    "Not for decisions about people (credit, employment, health, law).",
)


def card(lineage: Lineage, metrics: Mapping[str, Any], surfaces: Sequence[str]) -> str:
    """Markdown after Mitchell et al., "Model Cards for Model Reporting", FAT* 2019. The same input gives the same text.

    ``metrics`` is an evaluation report as JSON, or empty when nothing was evaluated.
    """
    return "\n\n".join(
        [
            f"# Model card: {lineage.dataset}",
            "## Intended use\n\n"
            f"Recommends items on: {', '.join(surfaces)}. Candidates come from a two-tower model, co-visitation and "
            "trends; a ranker orders them by what it foretells of each objective; rules filter and space them.",
            "## Data\n\n" + _bullets(_data(lineage)),
            "## How it was made\n\n" + _bullets(_making(lineage)),
            "## How good it is\n\n" + _quality(metrics),
            "## Limits\n\n" + _bullets(LIMITS),
            "",
        ]
    )


def _data(lineage: Lineage) -> list[str]:
    return [
        f"{lineage.events:,} events of {lineage.users:,} users and {lineage.items:,} items",
        f"from {lineage.first_event:%Y-%m-%d %H:%M} to {lineage.last_event:%Y-%m-%d %H:%M} UTC",
        *(f"{window} until {end:%Y-%m-%d %H:%M}" for window, end in lineage.cuts.items()),
    ]


def _making(lineage: Lineage) -> list[str]:
    return [
        f"Remora {lineage.remora}" + (f", commit {lineage.code}" if lineage.code else ""),
        *(f"{name}: version `{version}`" for name, version in lineage.artifacts.items()),
        *(f"feature service {name}: schema `{schema}`" for name, schema in lineage.feature_services.items()),
        *(f"seed of {name}: {seed}" for name, seed in lineage.seeds.items()),
        *(f"MLflow run of {name}: `{run}`" for name, run in lineage.runs.items()),
    ]


def _quality(metrics: Mapping[str, Any]) -> str:
    found = [e for e in metrics.get("estimates", ()) if e["system"] == SURFACE and e["mean"] is not None]
    if not found:
        return "It was not evaluated."
    lines = [["metric", "segment", "mean", "interval", "queries", "users"], ["---", "---", *["---:"] * 4]]
    for e in found:
        ends = "–" if e["low"] is None else f"{e['low']:.4f} … {e['high']:.4f}"
        name = f"{e['metric'].replace('_', ' ')}@{e['cutoff']}"
        row = [name, e["segment"].replace("_", " "), f"{e['mean']:.4f}", ends, f"{e['queries']:,}", f"{e['users']:,}"]
        lines.append(row)
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return (
        f"The whole surface on held-out time; intervals of {metrics['level']:.0%} by bootstrap over users "
        f"({metrics['samples']:,} resamples, seed {metrics['seed']}).\n\n{table}"
    )


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"* {line}" for line in lines)
