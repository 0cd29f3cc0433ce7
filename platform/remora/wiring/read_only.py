"""MLflow's page for readers: of its hundreds of routes, those that its views of runs and models read."""

from __future__ import annotations

import json
import re

from starlette.types import ASGIApp, Receive, Scope, Send

PAGES = re.compile(r"/|/(health|version|graphql|get-artifact|model-versions/get-artifact)|/(static-files|build)/.+")
READ = re.compile(
    r"/(ajax-)?api/[23]\.0/mlflow/(experiments|runs|metrics|artifacts|registered-models|model-versions|logged-models"
    r"|traces|unified-traces|get-trace-artifact|datasets|scorers|server-info)(/.+)?"
)
SEARCHES = re.compile(
    r"/graphql"  # its mutations are searches too
    r"|/(ajax-)?api/[23]\.0/mlflow/((experiments|runs|logged-models|datasets|traces)/search|experiments/search-datasets"
    r"|registered-models/get-latest-versions|traces/(batchGetInfos|metrics|calculate-filter-correlation))"
)

REFUSED = json.dumps(
    {
        "error_code": "PERMISSION_DENIED",
        "message": "This page of MLflow is read-only. Remora's commands change runs, bundles and aliases: see `remora "
        "--help`; `remora bundle promote` moves an alias.",
    }
).encode()


def allowed(method: str, path: str) -> bool:
    """Does a request only read?

    What is not named here is refused, so that a route of a later MLflow is closed until it has been looked at. Refused
    reads are those that act or tell secrets: its gateway and proxy, its assistant, its jobs, its webhooks.

    >>> allowed("GET", "/ajax-api/2.0/mlflow/registered-models/alias")
    True
    >>> allowed("POST", "/ajax-api/2.0/mlflow/registered-models/alias")
    False
    """
    if method in ("GET", "HEAD"):
        return PAGES.fullmatch(path) is not None or READ.fullmatch(path) is not None
    return method == "POST" and SEARCHES.fullmatch(path) is not None


class ReadOnly:
    """Answers 403 to every request that is not :func:`allowed`, and hands the others to ``app``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection. Of the lifespan the app hears nothing: it would tidy up after assistants that do not run."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif allowed(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
        else:
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(REFUSED)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": REFUSED})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return


def page() -> ASGIApp:
    """MLflow's own application behind :class:`ReadOnly`; its environment names the database."""
    from mlflow.server.fastapi_app import app

    return ReadOnly(app)
