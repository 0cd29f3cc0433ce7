"""The model card: what a bundle is, from what it was made, how good it is for whom, and where it should not be used.

After Mitchell et al., "Model Cards for Model Reporting", FAT* 2019. Everything in it was measured or recorded; the same
input gives the same card. It is a list of sections, drawn as Markdown here and as a page in `card.html.j2`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jinja2

from remora.core.printable import shown
from remora.registry.lineage import Lineage

SURFACE = "surface"
LIMITS = (
    "Measured on what past users chose among what a past system showed them: the numbers compare systems, they do not "
    "predict a business outcome. Only an experiment with users does.",
    "People and items that the data has little of get little from it: see the rows of new users and new items.",
    "It learns from behaviour, and so repeats its preferences; popularity bias above 0 means that slates are more "
    "popular than what people went on to choose.",
    "It is as fresh as its last event. Retrain when the catalogue or the behaviour has changed.",
    "Not for decisions about people (credit, employment, health, law).",
)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text; the first ``words`` columns are words, the others numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 2


@dataclass(frozen=True, kw_only=True)
class CardSection:
    """A heading, what is said below it, facts as a list, and a table."""

    title: str
    text: str = ""
    facts: tuple[str, ...] = ()
    table: Table | None = None


def card(lineage: Lineage, metrics: Mapping[str, Any], surfaces: Sequence[str]) -> str:
    """As Markdown. ``metrics`` is an evaluation report as JSON, or empty when nothing was evaluated."""
    return "\n\n".join([f"# {_title(lineage)}", *map(_markdown, _sections(lineage, metrics, surfaces)), ""])


def page(lineage: Lineage, metrics: Mapping[str, Any], surfaces: Sequence[str], *, id: str) -> str:
    """As one HTML page without a script or anything to fetch; whatever it was made of is escaped.

    It is made when it is asked for and not kept in the bundle: a browser would run what is in it, and nothing in a
    bundle may be run.
    """
    source = files("remora.registry").joinpath("model_card.html.j2").read_text(encoding="utf-8")
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=shown).from_string(source)
    return template.render(title=_title(lineage), id=id, sections=list(_sections(lineage, metrics, surfaces)))


def _title(lineage: Lineage) -> str:
    return f"Model card: {lineage.dataset}"


def _sections(lineage: Lineage, metrics: Mapping[str, Any], surfaces: Sequence[str]) -> Iterator[CardSection]:
    yield CardSection(
        title="Intended use",
        text=f"Recommends items on: {', '.join(surfaces)}. Candidates come from a two-tower model, co-visitation and "
        "trends; a ranker orders them by what it predicts of each objective; rules filter and space them.",
    )
    yield CardSection(title="Data", facts=tuple(_data(lineage)))
    yield CardSection(title="How it was made", facts=tuple(_making(lineage)))
    yield _quality(metrics)
    yield _calibration(metrics)
    yield CardSection(title="Limits", facts=LIMITS)


def _data(lineage: Lineage) -> Iterator[str]:
    yield f"{lineage.events:,} events of {lineage.users:,} users and {lineage.items:,} items"
    yield f"from {lineage.first_event:%Y-%m-%d %H:%M} to {lineage.last_event:%Y-%m-%d %H:%M} UTC"
    for window, end in lineage.split.items():
        yield f"{window} until {end:%Y-%m-%d %H:%M}"
    for window, rows in lineage.rows.items():
        leaks = sum(view.leaks for view in rows.views.values())
        yield (
            f"rows of {window}: {rows.rows_out:,}, each with its features as they were known at its instant, report "
            f"{rows.fingerprint[:16]}; a join without time would have leaked the future into {leaks:,} of its rows"
        )


def _making(lineage: Lineage) -> Iterator[str]:
    yield f"Remora {lineage.remora}" + (f", commit {lineage.code}" if lineage.code else "")
    for name, version in lineage.artifacts.items():
        yield f"{name}: version {version}"
    for name, schema in lineage.feature_services.items():
        yield f"feature service {name}: schema {schema}"
    for name, seed in lineage.seeds.items():
        yield f"seed of {name}: {seed}"
    for name, run in lineage.runs.items():
        yield f"MLflow run of {name}: {run}"


def _quality(metrics: Mapping[str, Any]) -> CardSection:
    title = "How good it is"
    found = [e for e in metrics.get("estimates", ()) if e["system"] == SURFACE and e["mean"] is not None]
    if not found:
        return CardSection(title=title, text="It was not evaluated.")
    rows = []
    for e in found:
        ends = "–" if e["low"] is None else f"{e['low']:.4f} … {e['high']:.4f}"
        name = f"{_words(e['metric'])}@{e['cutoff']}"
        rows.append((name, _words(e["segment"]), f"{e['mean']:.4f}", ends, f"{e['queries']:,}", f"{e['users']:,}"))
    return CardSection(
        title=title,
        text=f"The whole surface on held-out time; intervals of {metrics['level']:.0%} by bootstrap over users "
        f"({metrics['samples']:,} resamples, seed {metrics['seed']}).",
        table=Table(columns=("metric", "segment", "mean", "interval", "queries", "users"), rows=tuple(rows)),
    )


def _calibration(metrics: Mapping[str, Any]) -> CardSection:
    title, found = "Calibration", metrics.get("reliability", ())
    if not found:
        return CardSection(title=title, text="Whether its probabilities mean what they say was not measured.")
    return CardSection(
        title=title,
        text="Whether what the ranker predicts of each objective comes to pass, on held-out slates. The error is the "
        "expected calibration error over bins of equal counts, in the unit of the prediction; 0 is perfect.",
        table=Table(
            columns=("objective", "segment", "slates", "predicted", "observed", "error"),
            rows=tuple(
                (
                    _words(r["objective"]),
                    _words(r["segment"]),
                    f"{r['slates']:,}",
                    *(f"{r[name]:.5f}" for name in ("predicted", "observed", "error")),
                )
                for r in found
            ),
        ),
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _markdown(section: CardSection) -> str:
    parts = [f"## {section.title}", section.text, "\n".join(f"* {fact}" for fact in section.facts)]
    if (table := section.table) is not None:
        ruler = ["---"] * table.words + ["---:"] * (len(table.columns) - table.words)
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in (table.columns, ruler, *table.rows)))
    return "\n\n".join(part for part in parts if part)
