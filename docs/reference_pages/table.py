"""Which reference pages are made from the code, and by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from docs.reference_pages import (
    commands,
    components,
    degraded_codes,
    errors,
    grpc_api,
    http_api,
    metrics,
    problem_types,
    python_api,
    settings,
)

FOLDER = Path(__file__).parents[1] / "reference"

PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings.page,
    "components.md": components.page,
    "cli.md": commands.page,
    "http_api.md": http_api.page,
    "grpc.md": grpc_api.page,
    "problem_types.md": problem_types.page,
    "degraded_codes.md": degraded_codes.page,
    "metrics_and_alerts.md": metrics.page,
    "errors_and_exit_codes.md": errors.page,
    "python_api.md": python_api.page,
}
