"""A peer: the same stages as a graph the way one writes it first, on Ray Serve's defaults.

A deployment for each phase and one for HTTP, which asks one phase after another and carries what it gets to the
next; Serve's own proxy, no switch turned, one replica of each, which ask for little so that two CPUs hold four.
``python -m benchmarks.serving.naive [CONFIG]`` prints where it answers and ends with its standard input.
"""

import os
import sys
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from ray import serve
from ray.serve.handle import DeploymentHandle

from remora.pipeline import PipelineState, Query, Slate
from remora.serving.bundle_loader import BundleLoader
from remora.serving.loaded_bundle import LoadedBundle
from remora.serving.requests import RequestContext, to_query
from remora.serving.schemas import RecommendRequest

api = FastAPI()
SMALL = {"num_cpus": 0.25}


class Asked(BaseModel):
    """The request that the others read."""

    user_id: str
    n: int = 10


@serve.deployment(ray_actor_options=SMALL)
class Find:
    """Users and sources."""

    def __init__(self, loader: BundleLoader) -> None:
        self.surfaces = LoadedBundle.load(loader, loader.bundle).surfaces

    def __call__(self, query: Query) -> PipelineState:
        """The candidates."""
        pipeline = self.surfaces[query.surface]
        return pipeline.retrieve(pipeline.hydrate(query))


@serve.deployment(ray_actor_options=SMALL)
class Sift:
    """Rules."""

    def __init__(self, loader: BundleLoader) -> None:
        self.surfaces = LoadedBundle.load(loader, loader.bundle, with_users=False).surfaces

    def __call__(self, state: PipelineState) -> PipelineState:
        """What may be shown."""
        return self.surfaces[state.query.surface].filter(state)


@serve.deployment(ray_actor_options=SMALL)
class Order:
    """The ranker."""

    def __init__(self, loader: BundleLoader) -> None:
        self.surfaces = LoadedBundle.load(loader, loader.bundle, with_users=False).surfaces

    def __call__(self, state: PipelineState) -> Slate:
        """The slate."""
        return self.surfaces[state.query.surface].rank(state)


@serve.deployment(ray_actor_options=SMALL)
@serve.ingress(api)
class Front:
    """HTTP."""

    def __init__(self, loader: BundleLoader, *phases: DeploymentHandle) -> None:
        self.loaded, self.phases = LoadedBundle.load(loader, loader.bundle, with_users=False), phases
        self.limits = loader.settings.serving

    @api.post("/v1/recommend")
    async def recommend(self, asked: Asked) -> dict[str, Any]:
        """One phase after another."""
        answer: Any = to_query(
            self.loaded, RecommendRequest(user_id=asked.user_id, n=asked.n), RequestContext("naive"), self.limits
        )
        for phase in self.phases:
            answer = await phase.remote(answer)
        ids, titles, found = self.loaded.context.vocabulary, self.loaded.context.snapshot.titles, answer.candidates
        return {
            "items": [
                {"item_id": ids.id(row), "title": titles[row], "score": float(score)}
                for row, score in zip(found.rows.tolist(), found.scores.tolist(), strict=True)
            ],
            "degraded": list(answer.degraded),
        }


def main() -> None:
    """Serve until the standard input ends."""
    from benchmarks.endpoint import behind, endpoint

    from remora.settings import load
    from remora.wiring.cluster import quiet

    quiet()
    settings = behind(load(sys.argv[1] if len(sys.argv) > 1 else None), "python")
    loader = BundleLoader.named(settings, "production")
    with endpoint(settings) as url:
        front = Front.bind(loader, *(phase.bind(loader) for phase in (Find, Sift, Order)))
        serve.run(front, name="naive", route_prefix="/naive")
        print(f"{url}/naive", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    main()
