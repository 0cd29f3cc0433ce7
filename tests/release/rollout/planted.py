"""The small shop with bundles that have planted defects, by the bundle's id; what else there is, is real."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from tests.serving.small_shop import USERS, SmallShop, Taste, regulars

from remora.core.errors import DataError, Refused
from remora.pipeline import Candidates, Hydrator, Query, Scores, StageContext
from remora.settings import Settings

REVERSED, SLOW, OF_ANOTHER, CRASHES, UNSCORED = "reversed", "slow", "index of another version", "crashes", "unscored"
SLOWER_SECONDS, UNSCORED_SHARE = 0.4, 0.02
MANY = tuple(f"{user}-{number}" for number in range(20) for user in USERS)
"""Users of whom each is known as one of the shop's regulars, so that a share of them is a share."""


@dataclass(frozen=True)
class Planted:
    """The shop's taste, and what is wrong with it."""

    taste: Taste
    defect: str

    def score(self, query: Query, candidates: Candidates) -> Scores:
        scores = np.nan_to_num(self.taste.score(query, candidates))
        if self.defect == REVERSED:
            return -scores
        if self.defect == SLOW:
            threading.Event().wait(SLOWER_SECONDS)
        if self.defect == UNSCORED and _among(query.request_id, UNSCORED_SHARE):
            return np.full_like(scores, np.nan)
        return scores


def _among(request: str, share: float) -> bool:
    return int.from_bytes(hashlib.blake2b(request.encode(), digest_size=4).digest(), "big") < share * 2**32


class EveryUser:
    """Knows each of :data:`MANY` as the regular that the name begins with."""

    def hydrate(self, query: Query) -> Query:
        known = regulars().hydrate(replace(query, user_id=(query.user_id or "").partition("-")[0]))
        return replace(known, user_id=query.user_id)


@dataclass(frozen=True)
class PlantedShop(SmallShop):
    """``defects`` by bundle; the others are as they should be."""

    defects: Mapping[str, str] = field(default_factory=dict)

    def context(self, bundle: str) -> StageContext:
        defect = self.defects.get(bundle, "")
        if defect == CRASHES:
            os._exit(11)
        if defect == OF_ANOTHER:
            raise DataError("The index holds 59 vectors of 8 numbers, the towers 60 of 8: different bundles.")
        whole = super().context(bundle)
        scorer: Any = Planted(whole.scorer, defect)  # type: ignore[arg-type]
        return replace(whole, scorer=scorer)

    def users(self, context: StageContext) -> Hydrator:
        return EveryUser()


@dataclass(frozen=True)
class Proof:
    """Loads a bundle of the shop in a process of its own, as the real proof loads a real one."""

    shop: PlantedShop

    def __call__(self, settings: Settings, bundle: str) -> None:
        process = multiprocessing.get_context("spawn").Process(target=self.shop.load, args=(bundle,))
        process.start()
        process.join()
        if process.exitcode == 11:
            raise Refused(f"The process that loads {bundle} ends with exit code {process.exitcode}.")
