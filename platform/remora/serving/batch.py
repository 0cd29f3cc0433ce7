"""Slates of one surface for many users, by the same pipeline as a request, on Ray Data."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from remora.core.artifacts import Artifact, ArtifactStore, fingerprint
from remora.core.errors import StorageError
from remora.core.home import Home
from remora.core.tables import USER_ID
from remora.pipeline import Query, Slate
from remora.serving.autoscaling import most_replicas
from remora.serving.loaded_bundle import LoadedBundle, Loader
from remora.serving.requests import check_surface

INDEX = "index"
USERS_A_FILE = 512

SLATES = pa.schema(
    [
        pa.field(USER_ID, pa.string(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),  # 1 is the first
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("score", pa.float32()),  # null is unscored
        pa.field("sources", pa.list_(pa.string()), nullable=False),
        pa.field("degraded", pa.list_(pa.string()), nullable=False),
    ]
)
"""One row a place of a slate."""


def slates_artifacts(out: Home) -> ArtifactStore:
    """Where batches are kept: the folder of a version holds Parquet files of :data:`SLATES` under ``slates/``."""
    return ArtifactStore(out, "recommendations", "remora recommend --all")


def recommend_all(
    loader: Loader,
    users: pa.Array,
    out: Home,
    *,
    surface: str = "home_feed",
    n: int = 10,
    advanced: Callable[[int], None] = lambda users: None,
) -> Artifact:
    """Write a slate, one row an item, for every user (strings without repeats) and commit them all at once.

    A version that is there already (same bundle, users, surface and n, on historical data) is not computed again.
    ``advanced`` is called with how many more users are done. StorageError when not every user got a slate, BadRequest
    for a surface that there is not and for one that needs an item: all users would get its backfill.
    """
    import ray.data

    loaded = LoadedBundle.load(loader, loader.bundle, with_users=False)
    check_surface(loaded, surface, with_item=False)
    instant = loaded.context.instant()
    version = fingerprint(bundle=loaded.bundle, surface=surface, n=n, instant=instant, users=users.to_pylist())
    artifacts = slates_artifacts(out)
    if (there := artifacts.select(version)) is not None:
        return there
    staging = artifacts.staging(version)
    settings = loader.settings
    indexed = pa.table({INDEX: pa.array(range(len(users)), pa.int64()), USER_ID: users})
    files = max(1, -(-len(users) // USERS_A_FILE))
    written = (
        ray.data.from_arrow(indexed)
        .repartition(files)
        .map_batches(
            SlateWriter,
            fn_constructor_args=(loader, staging, surface, n, instant),
            batch_format="pyarrow",
            batch_size=None,
            num_cpus=settings.serving.cpus_per_replica,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(files, most_replicas(settings))),
        )
    )
    done = 0
    for row in written.iter_rows():
        done += row["users"]
        advanced(row["users"])
    if done != len(users):
        raise StorageError(f"Slates were written for {done:,} of {len(users):,} users; nothing is committed.")
    return artifacts.commit(
        staging, bundle=loaded.bundle, surface=surface, n=n, users=done, instant=instant.isoformat()
    )


class SlateWriter:
    """An actor that holds a loaded bundle: a block of users in, one file of slates written, the number of users out.

    A file is named after its first user's place, so a block that is computed twice is written once.
    """

    def __init__(self, loader: Loader, staging: Artifact, surface: str, n: int, instant: datetime) -> None:
        self._loaded = LoadedBundle.load(loader, loader.bundle)
        self._staging, self._surface, self._n, self._instant = staging, surface, n, instant

    def __call__(self, block: pa.Table) -> pa.Table:
        """Slates of a block of users; what is known of them is looked up user by user, as for a request."""
        if len(block):
            users = block[USER_ID].to_pylist()
            rows = [row for user in users for row in self._rows(user)]
            buffer = io.BytesIO()
            pq.write_table(pa.Table.from_pylist(rows, SLATES), buffer, write_page_checksum=True)
            name = f"{self._staging.folder}/slates/{block[INDEX][0].as_py():012}.parquet"
            self._staging.home.write_bytes(name, buffer.getvalue())
        return pa.table({"users": [len(block)]})

    def _rows(self, user: str) -> Iterator[dict[str, Any]]:
        query = Query(request_id=f"batch-{user}", surface=self._surface, n=self._n, instant=self._instant, user_id=user)
        yield from slate_rows(user, self._loaded.run(query), self._loaded)


def slate_rows(user: str, slate: Slate, loaded: LoadedBundle) -> Iterator[dict[str, Any]]:
    """The places of one slate as rows of :data:`SLATES`."""
    candidates = slate.candidates
    for position, (row, score) in enumerate(zip(candidates.rows.tolist(), candidates.scores.tolist(), strict=True)):
        yield {
            USER_ID: user,
            "position": position + 1,
            "item_id": loaded.context.vocabulary.id(row),
            "score": None if score != score else score,
            "sources": candidates.found_by(position),
            "degraded": slate.degraded,
        }
