"""Work done by several processes at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

ONCE = "mlflow.store.model_registry.sqlalchemy_store"
"""What every process would import for seconds: one does, which opens nothing, and is forked for each."""


def in_processes(work: Callable[..., Any], *arguments: tuple[Any, ...]) -> list[int | None]:
    """Run ``work`` in one new process for each tuple of arguments, all at once; returns their exit codes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([ONCE])
    processes = [context.Process(target=work, args=a) for a in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    return [process.exitcode for process in processes]
