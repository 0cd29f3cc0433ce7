"""Who reads the rows of a source, whatever their number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from remora.ingest import rows


@contextmanager
def ray_data_reads() -> Iterator[None]:
    """Ray Data reads every table of events, as it does a large one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "MAX_LOCAL_ROWS", 0)
        yield
