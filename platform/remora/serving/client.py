"""Asks a running app, as any program would."""

from __future__ import annotations

import httpx

from remora.core.errors import BadRequest, NotFound, NotReady
from remora.core.http_answers import answer_as, detail_of
from remora.serving.schemas import SEED, RecommendRequest
from remora.surfaces.responses import RecommendResponse

TIMEOUT_SECONDS = 30.0


def ask(url: str, request: RecommendRequest) -> RecommendResponse:
    """One slate. NotReady when nothing answers; a problem document comes back as the error it tells of."""
    try:
        response = httpx.post(f"{url}/v1/recommend", json=request.model_dump(), timeout=TIMEOUT_SECONDS)
    except httpx.RequestError as error:
        raise NotReady(f"Nothing answers at {url} ({error}). Run `remora serve start` first.") from error
    if response.status_code == 200:
        return answer_as(response, RecommendResponse)
    detail = detail_of(response)
    if response.status_code == 404 and SEED in request.context:
        raise NotFound("item", str(request.context[SEED]), f"So says {url}.")
    if response.status_code in {400, 413, 422}:
        raise BadRequest(detail)
    raise NotReady(f"{url} answers with status {response.status_code}: {detail}")
