"""Errors of our own that were raised in a Ray worker, given back as what they are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ray.exceptions import RayError

from remora.contracts.errors import RemoraError


@contextlib.contextmanager
def own_errors() -> Iterator[None]:
    """Inside, a RayError that was caused by a RemoraError is that RemoraError; any other passes as it is."""
    try:
        yield
    except (RayError, RuntimeError) as error:
        found: BaseException | None = error
        while found is not None:
            if isinstance(found, RemoraError):
                raise _plain(found) from error
            found = getattr(found, "cause", None) or found.__cause__
        raise


def _plain(error: RemoraError) -> RemoraError:
    """The error without the class that Ray mixes into it, and without the advice that it adds to the message."""
    own = next(
        kind
        for kind in type(error).__mro__
        if issubclass(kind, RemoraError) and kind.__module__ == RemoraError.__module__
    )
    first, *further = error.args
    return own(first.split("\nFailed to ")[0] if isinstance(first, str) else first, *further)
