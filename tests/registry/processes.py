"""Work done by several processes at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any


def in_processes(work: Callable[..., Any], *arguments: tuple[Any, ...]) -> list[int | None]:
    """Run ``work`` in one new process for each tuple of arguments, all at once; returns their exit codes."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=a) for a in arguments]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
    return [process.exitcode for process in processes]
