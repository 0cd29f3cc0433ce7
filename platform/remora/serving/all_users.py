"""Batch recommendations for all users of a home."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from remora.core.artifacts import Artifact
from remora.core.home import Home
from remora.core.tables import USER_ID
from remora.ingest.lake import Lake
from remora.serving.batch import recommend_all
from remora.serving.bundle_loader import BundleLoader
from remora.settings import Settings
from remora.wiring.cluster import connect


def recommend_all_users(
    settings: Settings,
    out: str,
    *,
    bundle: str = "production",
    surface: str = "home_feed",
    n: int = 10,
    expected: Callable[[int], None] = lambda users: None,
    advanced: Callable[[int], None] = lambda users: None,
) -> Artifact:
    """Slates for every user of the current lake, committed under ``out``; see :func:`recommend_all`.

    ``expected`` is called with how many users there are, ``advanced`` how many more are done.
    """
    loader = BundleLoader.named(settings, bundle)
    connect(settings)
    users = all_users(Lake.open(Home(settings.home)))
    expected(len(users))
    return recommend_all(loader, users, Home(out), surface=surface, n=n, advanced=advanced)


def all_users(lake: Lake) -> pa.Array:
    """Ids of all users that have an event or a row of their own, sorted."""
    active = pa.array(lake.events(columns=[USER_ID]).unique(USER_ID), pa.string())
    listed = lake.users()[USER_ID].combine_chunks().cast(pa.string())
    both = pc.unique(pa.concat_arrays([active, listed]))
    return both.take(pc.array_sort_indices(both))
