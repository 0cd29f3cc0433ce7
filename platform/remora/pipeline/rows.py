"""Sets of item rows that a request handles: some hundreds, for which NumPy's general functions take several times as
long."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from remora.core.vocabulary import ItemCodes


def isin(rows: ItemCodes, these: ItemCodes) -> npt.NDArray[np.bool_]:
    """Which of ``rows`` (n,) are among ``these`` (m,), in any order and with repeats: (n,)."""
    if not len(these):
        return np.zeros(len(rows), bool)
    ordered = np.sort(these)
    at = np.searchsorted(ordered, rows)
    # Beyond the last one any position will do: the comparison below finds another row there.
    at[at == len(ordered)] = 0
    return ordered[at] == rows


def indices_of(these: ItemCodes, rows: ItemCodes) -> npt.NDArray[np.intp]:
    """Where each of ``these`` (m,) is in ``rows`` (n,), which are distinct and have all of them: (m,)."""
    order = np.argsort(rows)
    return order[np.searchsorted(rows, these, sorter=order)]


def unique(rows: ItemCodes) -> ItemCodes:
    """The rows (n,) without repeats, ascending: (m,) int32."""
    ordered = np.sort(rows)
    return ordered[_first(ordered)]


def group_sum(rows: ItemCodes, values: npt.NDArray[Any]) -> tuple[ItemCodes, npt.NDArray[Any]]:
    """The rows (n,) without repeats, ascending, and beside each the sum of its ``values`` (n,): both (m,)."""
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    first = np.flatnonzero(_first(ordered))
    return ordered[first], np.add.reduceat(values[order], first) if len(first) else values[:0]


def spread(values: npt.NDArray[Any], where: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Numbers (m, ...) at the m places where ``where`` (n,) holds, NaN at the others: (n, ...)."""
    whole = np.full((len(where), *values.shape[1:]), np.nan, values.dtype)
    whole[where] = values
    return whole


def _first(ordered: ItemCodes) -> npt.NDArray[np.bool_]:
    """Where a row is not the one before."""
    first = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return first
