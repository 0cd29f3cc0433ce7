"""The requests that slates, latency and the index are judged by: the same ones for every bundle, in ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import numpy as np

from remora.core.errors import NotReady, Refused
from remora.core.home import Home
from remora.features.hydrators.user_features import USER_STORE
from remora.features.tables import FeatureTables
from remora.pipeline import PipelineState, Query
from remora.pipeline.degradation import code_of
from remora.release.gates.evidence.bundle_under_test import BundleUnderTest
from remora.settings import Settings

SIZES = (10, 10, 10, 50)
NAMELESS, UNKNOWN = None, "no-such-user"
STRANGERS_EVERY = 10
"""One request in so many is without a user, another of a user whom nothing knows."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as it comes in."""

    number: int
    surface: str
    n: int
    user: str | None
    item: str


def sample_requests(settings: Settings, bundles: Sequence[BundleUnderTest]) -> tuple[Request, ...]:
    """``gates.requests`` of all surfaces in turn: users with features spread evenly over all, some that are nameless or
    unknown, about items that every bundle has."""
    most = settings.gates.requests
    shared = sorted(set.intersection(*(set(loaded.vocabulary.ids.to_pylist()) for loaded in bundles)))
    items = [shared[index] for index in np.linspace(0, len(shared) - 1, min(most, len(shared))).astype(int)]
    # What a surface does is its bundle's own; those that only one bundle has cannot be compared.
    surfaces = [name for name in bundles[0].surfaces if all(name in loaded.surfaces for loaded in bundles)]
    if not surfaces:
        raise Refused(
            f"The candidate has the surfaces {', '.join(bundles[0].surfaces)}, and production has none of them: they "
            f"cannot be compared. Keep one surface, or promote with --force."
        )
    per_surface = max(1, most // len(surfaces))
    users = _with_strangers(FeatureTables.open(Home(settings.home)).some_users(per_surface))
    return tuple(
        Request(number=number, surface=surface, n=n, user=user, item=item)
        for surface in surfaces
        for number, (user, item, n) in enumerate(
            islice(zip(cycle(users), cycle(items), cycle(SIZES), strict=False), per_surface)
        )
    )


def _with_strangers(users: Sequence[str]) -> list[str | None]:
    """The users, at every tenth place a nameless one and after it an unknown one."""
    mixed: list[str | None] = []
    for index, user in enumerate(users):
        if index % STRANGERS_EVERY == 0:
            mixed += [NAMELESS, UNKNOWN]
        mixed.append(user)
    return mixed or [NAMELESS, UNKNOWN]


def hydrated(loaded: BundleUnderTest, requests: Sequence[Request]) -> tuple[PipelineState, ...]:
    """The requests in the rows of one bundle, with what its hydrators know of each user; NotReady when the store of
    users is out."""
    return tuple(_hydrated(loaded, request) for request in requests)


def _hydrated(loaded: BundleUnderTest, request: Request) -> PipelineState:
    query = Query(
        request_id=f"gate-{request.surface}-{request.number}",
        surface=request.surface,
        n=request.n,
        instant=loaded.context.instant(),
        user_id=request.user,
        seed_item=loaded.vocabulary.row(request.item),
    )
    state = loaded.surfaces[request.surface].hydrate(query)
    for reason in state.degraded:
        if code_of(reason) == USER_STORE:
            raise NotReady(reason)
    return state
