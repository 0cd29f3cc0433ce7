"""The recommendation app, for `serve run serve_apps.recommend:app` and `serve deploy serve_apps/config.yaml`."""

from __future__ import annotations

from typing import Any

from ray.serve import Application

from remora.serving.app import AppArguments, build


def app(arguments: dict[str, Any]) -> Application:
    """Arguments: ``config`` (settings file), ``bundle`` (alias or id), ``topology`` (graph or fused)."""
    return build(AppArguments.model_validate(arguments))
