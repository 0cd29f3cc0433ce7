"""The two ways to a slate: all stages in this process, or each phase in a deployment of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from remora.core.errors import NotReady
from remora.pipeline import Query, Slate
from remora.serving.explanation import Explanation, explain
from remora.serving.loaded_bundle import LoadedBundle
from remora.serving.stage_pool import StagePool
from remora.serving.stage_request import BundleMismatch


class Executor(Protocol):
    """A way from a query to its slate."""

    name: str

    def slate(self, query: Query) -> Coroutine[Any, Any, Slate]:
        """The slate; NotReady when a part of the way is out."""

    def explain(self, query: Query, row: int) -> Coroutine[Any, Any, Explanation]:
        """The explanation why the query's slate has the item of ``row``, or has not; NotReady as above."""


class FusedExecutor:
    """All stages in this replica: the lowest latency and the most requests per core."""

    name = "fused"

    def __init__(self, loaded: LoadedBundle, threads: StagePool) -> None:
        self.loaded, self.threads = loaded, threads

    async def slate(self, query: Query) -> Slate:
        """Run the stages in a thread of this replica."""
        return await self.threads.do(self.loaded.run, query)

    async def explain(self, query: Query, row: int) -> Explanation:
        """Replay it in a thread of this replica."""
        return await self.threads.do(explain, self.loaded, query, row)


class GraphExecutor:
    """Each phase in a deployment of its own, scaled by itself; what passes between them does not come back here."""

    name = "graph"

    def __init__(
        self, loaded: LoadedBundle, retriever: DeploymentHandle, filter: DeploymentHandle, ranker: DeploymentHandle
    ) -> None:
        self.bundle, self.catalogue = loaded.bundle, loaded.catalogue
        self.retriever, self.filter, self.ranker = retriever, filter, ranker

    async def slate(self, query: Query) -> Slate:
        """Chain the three calls and await the last; NotReady when a deployment is out or answers no slate."""
        with _outages_as_not_ready():
            found = self.retriever.retrieve.remote(self.bundle, query, self.catalogue)
            allowed = self.filter.filter.remote(found)
            slate = await self.ranker.rank.remote(allowed)
            if not isinstance(slate, Slate):
                raise NotReady(f"a phase answered {type(slate).__name__} in place of a slate")
            return slate

    async def explain(self, query: Query, row: int) -> Explanation:
        """Ask the retriever to replay it."""
        with _outages_as_not_ready():
            return await self.retriever.explain.remote(  # type: ignore[no-any-return]
                self.bundle, query, row, self.catalogue
            )


@contextmanager
def _outages_as_not_ready() -> Iterator[None]:
    try:
        yield
    except asyncio.CancelledError as ended:
        task = asyncio.current_task()
        if task is None or task.cancelling():  # it is the caller who waits no longer
            raise
        raise NotReady("a phase gave the request up, as one does that is stopped") from ended
    except (RayError, RayServeException) as reported:
        reason = _innermost(reported)
        if isinstance(reason, BundleMismatch):
            raise BundleMismatch(*reason.args) from reported
        if isinstance(reason, NotReady):
            raise NotReady(str(reason)) from reported
        if isinstance(reason, (RayError, RayServeException)) and not isinstance(reason, RayTaskError):
            raise NotReady(f"a phase cannot be reached ({type(reason).__name__})") from reported
        raise  # an error of the phase's own


def _innermost(error: Exception) -> Exception:
    """What a phase raised, out of the wrappings of the calls that passed it on.

    Ray Serve reports a phase that died with the request in hand to the next one's caller by its base class, and the
    death as that one's cause.
    """
    while True:
        inner = error.cause if isinstance(error, RayTaskError) else None
        if type(error) is RayServeException:
            inner = error.__cause__
        if not isinstance(inner, Exception) or inner is error:
            return error
        error = inner
