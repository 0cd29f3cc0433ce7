"""The two ways to a slate: all phases in this process, or each in a deployment of its own."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from ray.exceptions import ObjectLostError, RayActorError, RayError, RayTaskError
from ray.serve.exceptions import (
    BackPressureError,
    DeploymentUnavailableError,
    RayServeException,
    ReplicaUnavailableError,
)
from ray.serve.handle import DeploymentHandle

from remora.contracts.errors import NotReady
from remora.pipeline import Query, Slate
from remora.serving.phases import OtherBundle, Phases
from remora.serving.stage_threads import StageThreads
from remora.serving.why import Why, why

UNREACHABLE = (
    RayActorError,
    ObjectLostError,
    BackPressureError,
    DeploymentUnavailableError,
    ReplicaUnavailableError,
)
"""A phase cannot be reached, for now; anything else that comes back from one is its own error."""


class Topology(Protocol):
    """A way from a query to its slate."""

    name: str

    def slate(self, query: Query) -> Coroutine[Any, Any, Slate]:
        """The slate; NotReady when a part of the way is out."""

    def why(self, query: Query, row: int) -> Coroutine[Any, Any, Why]:
        """Why the query's slate has the item of ``row``, or has not; NotReady as above."""


class Fused:
    """All phases in this replica: the lowest latency and the most requests per core."""

    name = "fused"

    def __init__(self, phases: Phases, threads: StageThreads) -> None:
        self.phases, self.threads = phases, threads

    async def slate(self, query: Query) -> Slate:
        """Run the phases in a thread of this replica."""
        return await self.threads.do(self.phases.run, query)

    async def why(self, query: Query, row: int) -> Why:
        """Replay it in a thread of this replica."""
        return await self.threads.do(why, self.phases, query, row)


class Graph:
    """Each phase in a deployment of its own, scaled by itself; what passes between them does not come back here."""

    name = "graph"

    def __init__(
        self, bundle: str, retriever: DeploymentHandle, filter: DeploymentHandle, ranker: DeploymentHandle
    ) -> None:
        self.bundle, self.retriever, self.filter, self.ranker = bundle, retriever, filter, ranker

    async def slate(self, query: Query) -> Slate:
        """Chain the three calls and await the last."""
        with _outages_as_not_ready():
            found = self.retriever.retrieve.remote(self.bundle, query)
            allowed = self.filter.filter.remote(found)
            slate = await self.ranker.rank.remote(allowed)
            if not isinstance(slate, Slate):
                raise NotReady(f"a phase answered {type(slate).__name__} in place of a slate")
            return slate

    async def why(self, query: Query, row: int) -> Why:
        """Ask the retriever to replay it."""
        with _outages_as_not_ready():
            return await self.retriever.why.remote(self.bundle, query, row)  # type: ignore[no-any-return]


@contextmanager
def _outages_as_not_ready() -> Iterator[None]:
    try:
        yield
    except (RayError, RayServeException) as reported:
        reason = _innermost(reported)
        if isinstance(reason, OtherBundle):
            raise OtherBundle(*reason.args) from reported
        if isinstance(reason, NotReady):
            raise NotReady(str(reason)) from reported
        if isinstance(reason, UNREACHABLE):
            raise NotReady(f"a phase cannot be reached ({type(reason).__name__})") from reported
        raise


def _innermost(error: Exception) -> Exception:
    """What a phase raised, out of the wrappings of the calls that passed it on."""
    while isinstance(error, RayTaskError) and isinstance(error.cause, Exception) and error.cause is not error:
        error = error.cause
    return error
