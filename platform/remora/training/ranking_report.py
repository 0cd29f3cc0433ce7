"""The report of a ranker's training, for people: what it learned from, how well, what it goes by, what it costs."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from itertools import zip_longest
from typing import Any

import jinja2
import numpy as np
from pydantic import BaseModel, ConfigDict

from remora.core.printable import shown
from remora.evaluation.drawing import label, svg, title
from remora.evaluation.leakage import Leak
from remora.evaluation.reliability import Reliability
from remora.evaluation.reliability_plot import reliability_plot
from remora.ranking.batch import Batch
from remora.ranking.explanation import grid, partial_dependence, permutation_importance
from remora.ranking.learning import Curve
from remora.ranking.ranker import Ranker
from remora.ranking.slate_ndcg import ndcg_of_each
from remora.ranking.slates import Slates
from remora.ranking.timing import Timing, timed
from remora.settings.ranking import BLEND

SHOWN, IMPORTANCE_SLATES, DEPENDENCE_ROWS = 20, 30, 2_000


class Data(BaseModel):
    """What a window gave: ``positives`` by objective; ``sampled`` is the mean share of negatives that was kept.

    ``origins``: how many rows have their features from where, with ``ranking.candidates: logged``.
    """

    model_config = ConfigDict(frozen=True)

    window: str
    slates: int
    rows: int
    positives: dict[str, int]
    sampled: float
    origins: dict[str, int] = {}


class Quality(BaseModel):
    """NDCG@10 of a model's order by objective, on validation, before it learned from it."""

    model_config = ConfigDict(frozen=True)

    model: str
    ndcg: dict[str, float]
    timing: Timing


class Dependence(BaseModel):
    """Mean prediction by objective when every row's feature has the value; ``labels`` of categories, else None."""

    model_config = ConfigDict(frozen=True)

    feature: str
    values: tuple[float, ...]
    labels: tuple[str, ...] | None
    means: dict[str, tuple[float, ...]]


class RankingReport(BaseModel):
    """Everything that the page shows. ``importance`` by objective: NDCG@10 lost when the feature is shuffled."""

    model_config = ConfigDict(frozen=True)

    version: str
    data: tuple[Data, ...]
    weights: dict[str, float]
    quality: tuple[Quality, ...]
    shares: dict[str, dict[str, float]]
    curves: dict[str, Curve]
    reliability: tuple[Reliability, ...]
    importance: dict[str, dict[str, float]]
    dependence: tuple[Dependence, ...]
    leaks: tuple[Leak, ...]

    @property
    def objectives(self) -> tuple[str, ...]:
        """What is predicted."""
        return tuple(self.weights)


def data_of(window: str, slates: Slates, origins: Mapping[str, int]) -> Data:
    """Counts."""
    negative = np.all([label == 0 for label in slates.labels.values()], axis=0)
    return Data(
        window=window,
        slates=len(slates),
        rows=len(slates.batch),
        positives={name: int((label > 0).sum()) for name, label in slates.labels.items()},
        sampled=float(slates.sampled[negative].mean()) if negative.any() else 1.0,
        origins=dict(origins),
    )


def qualities(ranker: Ranker, judged: Slates) -> tuple[Quality, ...]:
    """Each model alone, and the blend where there are several."""
    models = {name: model.margins for name, model in ranker.models.items()}
    if len(models) > 1:
        models[BLEND] = ranker.margins
    found = []
    for name, margins in models.items():
        ndcg = ndcg_of_each(margins(judged.batch), judged.labels, judged.batch.slate)
        found.append(Quality(model=name, ndcg=ndcg, timing=timed(margins, judged.batch)))
    return tuple(found)


def importances(ranker: Ranker, judged: Slates, seed: int) -> dict[str, dict[str, float]]:
    """By objective and feature, on a part of the slates that have something to lose."""
    some = judged.with_any(*judged.labels.values())
    draw = np.random.default_rng(seed)
    some = some.take(draw.choice(len(some), min(len(some), IMPORTANCE_SLATES), replace=False))

    def quality(batch: Batch) -> np.ndarray:
        return np.array([*ndcg_of_each(ranker.margins(batch), some.labels, batch.slate).values()])

    lost = permutation_importance(quality, some.batch, seed)
    return {
        objective: dict(zip(ranker.columns.names, lost[:, index].tolist(), strict=True))
        for index, objective in enumerate(ranker.objectives)
    }


def dependences(
    ranker: Ranker, judged: Slates, importance: Mapping[str, Mapping[str, float]], most: int = 6
) -> tuple[Dependence, ...]:
    """Of the features that matter most to any objective."""
    total = {name: max(of[name] for of in importance.values()) for name in ranker.columns.names}
    chosen = sorted(total, key=lambda name: -total[name])[:most]
    step = max(1, len(judged.batch) // DEPENDENCE_ROWS)
    batch = _thinned(judged.batch, step)
    found = []
    for name in chosen:
        index = ranker.columns.names.index(name)
        values = grid(judged.batch.features[:, index])
        if not len(values):
            continue
        categories = ranker.columns.columns[index].categories
        means = partial_dependence(ranker.score, batch, index, values)
        labels = tuple(categories[int(value)] for value in values) if categories else None
        found.append(
            Dependence(
                feature=name,
                values=tuple(values.tolist()),
                labels=labels,
                means={objective: tuple(column) for objective, column in means.items()},
            )
        )
    return tuple(found)


def _thinned(batch: Batch, step: int) -> Batch:
    """Every ``step``-th slate, whole: a row's history comes with its slate."""
    return batch.take(np.arange(0, len(batch.histories), step))


def html(report: RankingReport) -> bytes:
    """One page that needs nothing beside it; plots are SVG inside."""
    template = files("remora.training").joinpath("ranking_report.html.j2").read_text()
    # Escaped, since names of features and categories are text from the data.
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, finalize=shown
    )
    environment.filters["embedded"] = lambda svg: "data:image/svg+xml;base64," + base64.b64encode(svg).decode()
    return (
        environment.from_string(template)
        .render(
            report=report,
            top={name: _largest(of) for name, of in report.importance.items()},
            curves=_curves(report.curves),
            reliability=reliability_plot(report.reliability),
            dependence=_dependence_plot(report.dependence),
        )
        .encode()
    )


def _largest(importance: Mapping[str, float]) -> Sequence[tuple[str, float, float]]:
    """Feature, importance, and its share of the largest, in percent."""
    order = sorted(importance.items(), key=lambda one: -one[1])[:SHOWN]
    top = max((value for _, value in order), default=0.0) or 1.0
    return [(name, value, 100 * max(0.0, value) / top) for name, value in order]


def _curves(curves: Mapping[str, Curve]) -> bytes:
    def draw(axis: Any, drawn: tuple[str, Curve]) -> None:
        name, curve = drawn
        axis.plot(range(1, len(curve.values) + 1), curve.values)
        axis.set_title(title(name))
        axis.set_xlabel(curve.step)
        axis.set_ylabel("on validation")

    return _panels(draw, list(curves.items()))


def _dependence_plot(found: Sequence[Dependence]) -> bytes:
    def draw(axis: Any, one: Dependence) -> None:
        for objective, means in one.means.items():
            if one.labels:
                axis.plot(range(len(one.labels)), means, marker="o", linestyle="", label=objective)
            else:
                axis.plot(one.values, means, marker=".", label=objective)
        if one.labels:
            axis.set_xticks(range(len(one.labels)), [label(each) for each in one.labels], rotation=60)
        axis.set_title(title(one.feature), fontsize="small")
        axis.set_ylabel("mean prediction")
        axis.legend(fontsize="small")

    return _panels(draw, found)


def _panels(draw: Callable[[Any, Any], None], shown: Sequence[Any]) -> bytes:
    """Three panels a row, one for each of ``shown``."""
    rows = max(1, -(-len(shown) // 3))

    def all_of_them(axes: Any) -> None:
        for axis, one in zip_longest(axes.ravel(), shown):
            axis.set_visible(one is not None)
            if one is not None:
                draw(axis, one)
                axis.grid(alpha=0.3)

    return svg(all_of_them, rows=rows, columns=3, size=(12, 3.2 * rows))
