"""Who reads the rows of a source, whatever their number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from remora.ingest import rows

OWN_MAX_LOCAL_ROWS = rows.MAX_LOCAL_ROWS


@contextmanager
def ray_data_reads() -> Iterator[None]:
    """Ray Data reads every table of events, as it does a large one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "MAX_LOCAL_ROWS", 0)
        yield


@contextmanager
def this_process_reads() -> Iterator[None]:
    """This process reads every table, as it does a small one, also within :func:`ray_data_reads`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "MAX_LOCAL_ROWS", OWN_MAX_LOCAL_ROWS)
        yield
