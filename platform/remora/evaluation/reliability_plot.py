"""Reliability drawn: what was predicted against what came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from remora.evaluation.drawing import svg, title
from remora.evaluation.reliability import Reliability


def reliability_plot(found: Sequence[Reliability]) -> bytes:
    """A panel for each objective, a line for each segment; SVG. The diagonal is what an honest prediction lies on."""
    objectives = list(dict.fromkeys(one.objective for one in found))

    def draw(axes: Any) -> None:
        for axis, objective in zip(axes[0], objectives, strict=True):
            _panel(axis, objective, [one for one in found if one.objective == objective])

    return svg(draw, columns=len(objectives), size=(4.2 * len(objectives), 3.8))


def _panel(axis: Any, objective: str, lines: Sequence[Reliability]) -> None:
    ends = [max(max(b.predicted, b.observed) for b in one.bins) for one in lines]
    top = max(max(ends), 1e-9)
    axis.plot([0, top], [0, top], color="0.6", linewidth=0.8, linestyle="--")
    for one in lines:
        axis.plot(
            [b.predicted for b in one.bins],
            [b.observed for b in one.bins],
            marker="o",
            markersize=3,
            label=f"{one.segment.replace('_', ' ')}, error {one.error:.4f}",
        )
    axis.set_title(title(objective))
    axis.set_xlabel("predicted")
    axis.set_ylabel("observed")
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")
