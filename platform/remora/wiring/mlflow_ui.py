"""MLflow's own page over the home's tracking database, read-only, as a background process of this checkout."""

from __future__ import annotations

import hashlib
import secrets
import sys

from remora.core.redaction import redacted
from remora.registry.tracking import artifact_root, tracking_uri
from remora.settings import Settings
from remora.wiring import child_processes
from remora.wiring.ports import free_port

MLFLOW = "mlflow"
APPLICATION = "remora.wiring.read_only:page"


def start_mlflow(settings: Settings) -> str:
    """The address of MLflow's page on loopback; one that shows another home's runs is replaced.

    The page needs no login, so it only reads. Where the settings name an MLflow server, that one's address: who may
    write there is its operator's to say.
    """
    uri = tracking_uri(settings)
    if uri.startswith(("http://", "https://")):
        return redacted(uri)
    running = child_processes.find(MLFLOW)
    if running is not None and running.facts["tracking"] == _salted(uri, running.facts.get("salt", "")):
        return running.facts["url"]
    child_processes.stop(MLFLOW)
    port = free_port(5000)
    command = [sys.executable, "-m", "uvicorn", "--factory", APPLICATION, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--log-level", "warning", "--no-server-header"]
    # `mlflow server` passes the same to its workers; its command line would show a database's password to all users.
    environment = {
        "_MLFLOW_SERVER_FILE_STORE": uri,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": artifact_root(settings),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    salt = secrets.token_hex(16)
    facts = {"tracking": _salted(uri, salt), "salt": salt, "url": f"http://127.0.0.1:{port}"}
    return child_processes.start(MLFLOW, command, environment=environment, facts=facts).facts["url"]


def _salted(uri: str, salt: str) -> str:
    """What tells one database, and one password of it, from another: it is written down, and costs much to guess."""
    return hashlib.scrypt(f"{APPLICATION} {uri}".encode(), salt=salt.encode(), n=1 << 14, r=8, p=1).hex()


def stop_mlflow() -> bool:
    """End the MLflow page; False when it was not running."""
    return child_processes.stop(MLFLOW)
