"""What a search tries of a ranking model: fields of its settings, and the model after more and more training.

A component that can be searched has these, all optional, as class methods:

* ``search_space()`` gives what may be tried, field by field; settings may name other fields or bounds in
  ``tuning.ranking``;
* ``fixed_fields()`` are those that are the same for all trials, such as how long to train;
* ``stages(config, data)`` yields the model as it becomes better, and ``stage_count(config)`` says how often at most, so
  that poor trials are given up early. Without them a trial learns once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from remora.ranking.learning import RankingData
from remora.ranking.model import RankingModel
from remora.settings.tuning import Choice, Range


def search_space(component: Any) -> Mapping[str, Range | Choice]:
    """What the component proposes to try; nothing where it says nothing."""
    return component.search_space() if hasattr(component, "search_space") else {}


def fixed_fields(component: Any) -> frozenset[str]:
    """Fields that no search may try."""
    return component.fixed_fields() if hasattr(component, "fixed_fields") else frozenset()


def stage_count(component: Any, config: Any) -> int:
    """How often at most :func:`stages` yields."""
    return component.stage_count(config) if hasattr(component, "stage_count") else 1


def stages(component: Any, config: Any, data: RankingData) -> Iterator[RankingModel]:
    """The model after more and more training on the ranking window, in this process."""
    if hasattr(component, "stages"):
        yield from component.stages(config, data)
    else:
        yield component.learn(config, data).chosen
