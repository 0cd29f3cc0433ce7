"""MLflow's own page over the home's tracking database, as a background process of this checkout."""

from __future__ import annotations

import sys

from remora.registry.tracking import tracking_uri
from remora.settings import Settings
from remora.wiring import processes
from remora.wiring.cluster import free_port

MLFLOW = "mlflow"


def start_mlflow(settings: Settings) -> processes.Running:
    """The MLflow page on loopback; one that shows another home's runs is replaced."""
    uri = tracking_uri(settings)
    running = processes.find(MLFLOW)
    if running is not None and running.facts["tracking"] == uri:
        return running
    processes.stop(MLFLOW)
    port = free_port(5000)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri, "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", "1"]
    return processes.start(MLFLOW, command, environment={}, facts={"tracking": uri, "url": f"http://127.0.0.1:{port}"})


def stop_mlflow() -> bool:
    """End the MLflow page; False when it was not running."""
    return processes.stop(MLFLOW)
