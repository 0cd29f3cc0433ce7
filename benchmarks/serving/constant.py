"""The ceiling of the transport: an app on Ray Serve that answers the same ten items to all users."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from ray import serve

api = FastAPI()
ANSWER = {"items": [{"item_id": str(n), "title": f"Thing {n}", "score": 1.0 / n} for n in range(1, 11)], "degraded": []}


class Asked(BaseModel):
    """The request that the others read."""

    user_id: str
    n: int = 10


@serve.deployment(max_ongoing_requests=64)
@serve.ingress(api)
class Constant:
    """No stage at all."""

    @api.post("/v1/recommend")
    async def recommend(self, asked: Asked) -> dict[str, Any]:
        """What it always says."""
        return ANSWER
