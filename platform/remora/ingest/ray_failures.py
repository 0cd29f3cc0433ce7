"""Errors of our own that were raised in a Ray worker, given back as what they are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ray.data import DataContext
from ray.exceptions import RayTaskError

from remora.core.errors import RemoraError


@contextlib.contextmanager
def reraise_remora_errors() -> Iterator[None]:
    """Inside, a task of a Dataset that fails with a RemoraError raises that error here; others pass as they are.

    Datasets must be made inside as well: Ray Data hands on the error of a function only if told so when they are made.
    """
    context = DataContext.get_current()
    before, context.raise_original_map_exception = context.raise_original_map_exception, True
    try:
        yield
    except RayTaskError as error:
        if isinstance(error.cause, RemoraError):
            raise _plain(error.cause) from error
        raise
    finally:
        context.raise_original_map_exception = before


def _plain(error: RemoraError) -> RemoraError:
    """The error without the advice on retries that Ray adds to its message."""
    first, *further = error.args
    return type(error)(first.split("\nFailed to ")[0] if isinstance(first, str) else first, *further)
