"""The two windows of a ranker: what its models learn from, and what they are chosen by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from remora.core.errors import DataError
from remora.ranking.columns import RankerColumns
from remora.ranking.slates import Slates


@dataclass(frozen=True, kw_only=True)
class RankingWindows:
    """``train`` is what models learn from, ``validation`` what they are chosen by; F features each, by ``columns``.

    ``origins`` of each window: how many rows have their features from where, if some may have been logged at serving.
    """

    columns: RankerColumns
    train: Slates
    validation: Slates
    origins: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def without(self, prefix: str) -> RankingWindows:
        """The same without the features whose names begin so."""
        keep = [index for index, name in enumerate(self.columns.names) if not name.startswith(prefix)]
        return replace(
            self,
            columns=RankerColumns(columns=tuple(self.columns.columns[index] for index in keep)),
            train=self.train.with_features(keep),
            validation=self.validation.with_features(keep),
        )

    def __post_init__(self) -> None:
        for name in self.train.labels:
            for window, found in (("ranking", self.train), ("validation", self.validation)):
                if not (found.labels[name] > 0).any():
                    raise DataError(
                        f"No candidate of the {window} window led to objective {name}: nothing can be learned of it. "
                        f"Leave it out of ranking.objectives, raise ranking.{window}_queries, or bring more events."
                    )
