"""Asks a running app, as any program would."""

from __future__ import annotations

import httpx

from remora.core.errors import BadRequest, NotFound, NotReady
from remora.serving.schemas import SEED, RecommendRequest
from remora.surfaces.responses import RecommendResponse

TIMEOUT_SECONDS = 30.0


def ask(url: str, request: RecommendRequest) -> RecommendResponse:
    """One slate. NotReady when nothing answers; a problem document comes back as the error it tells of."""
    try:
        response = httpx.post(f"{url}/v1/recommend", json=request.model_dump(), timeout=TIMEOUT_SECONDS)
    except httpx.TransportError as error:
        raise NotReady(f"Nothing answers at {url} ({error}). Run `remora serve start` first.") from error
    if response.status_code == 200:
        return RecommendResponse.model_validate_json(response.content)
    detail = detail_of(response)
    if response.status_code == 404 and SEED in request.context:
        raise NotFound("item", str(request.context[SEED]), f"So says {url}.")
    if response.status_code in {400, 413, 422}:
        raise BadRequest(detail)
    raise NotReady(f"{url} answers with status {response.status_code}: {detail}")


def detail_of(response: httpx.Response) -> str:
    """What a problem document says, or the beginning of any other answer."""
    if response.headers.get("content-type", "").startswith("application/problem+json"):
        return str(response.json()["detail"])
    return response.text[:500]
