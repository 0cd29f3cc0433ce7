"""What depends on both the user and the item; used by Feast's on-demand view and by the ranker alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

SECONDS_PER_DAY = 86_400.0

NUMBERS = (
    "user_activity__last_event_at",
    "user_activity__mean_value",
    "item_activity__last_event_at",
    "item_activity__first_event_at",
    "item_activity__mean_value",
)
"""Number columns that :func:`cross` reads; a null is NaN."""

AFFINITY = "user_affinity__affinity"
AFFINITY_NAMES = "user_affinity__categories"
CATEGORIES = "item_catalogue__category_numbers"

READ = (*NUMBERS, AFFINITY, CATEGORIES)

CROSS = ("user_recency_days", "item_recency_days", "item_age_days", "value_gap")
"""What :func:`cross` always gives; with :data:`AFFINITY` and :data:`CATEGORIES` also :data:`CATEGORY_AFFINITY`."""

CATEGORY_AFFINITY = "category_affinity"  # not `affinity`: Feast confuses equal short names of input and output

Columns = Mapping[str, npt.NDArray[Any]]

_NONE = np.array([None], object)


def cross(
    columns: Columns,
    instant_seconds: npt.NDArray[np.float64] | float,
    *,
    category_names: Sequence[str] | None = None,
) -> dict[str, npt.NDArray[np.float32]]:
    """``user_item__*`` columns, each (n,) float32, NaN where a side is unknown.

    ``columns`` have shape (n,): :data:`NUMBERS`, :data:`AFFINITY` as (n, c) floats or objects of shape (n,), and
    :data:`CATEGORIES` as (n, m) integers padded with -1 or objects. ``instant_seconds``: since 1970, one or (n,).
    The user's columns may have one row for all items; then what depends on the user alone has one as well.

    ``category_names``: what the items' numbers mean, where the one user may come from other feature tables, whose
    numbers differ. :data:`AFFINITY_NAMES` then has the names of the user's shares, a list in an array of shape (1,).
    """
    user_last, user_mean, item_last, item_first, item_mean = (np.asarray(columns[n], np.float64) for n in NUMBERS)
    crossed = {
        "user_item__user_recency_days": (instant_seconds - user_last) / SECONDS_PER_DAY,
        "user_item__item_recency_days": (instant_seconds - item_last) / SECONDS_PER_DAY,
        "user_item__item_age_days": (instant_seconds - item_first) / SECONDS_PER_DAY,
        "user_item__value_gap": np.abs(user_mean - item_mean),
    }
    if with_affinity(columns):
        shares = padded(columns[AFFINITY], np.nan, np.float64)
        if category_names is not None and (theirs := columns.get(AFFINITY_NAMES, _NONE)[0]) is not None:
            shares = renumbered(shares, theirs, category_names)
        numbers = padded(columns[CATEGORIES], -1, np.int64)
        crossed[f"user_item__{CATEGORY_AFFINITY}"] = _affinity(shares, numbers)
    return {name: values.astype(np.float32) for name, values in crossed.items()}


def with_affinity(columns: Collection[str]) -> bool:
    """Can :data:`CATEGORY_AFFINITY` be computed of columns with these names?"""
    return AFFINITY in columns and CATEGORIES in columns


def renumbered(shares: npt.NDArray[np.float64], theirs: Sequence[str], ours: Sequence[str]) -> npt.NDArray[np.float64]:
    """Shares (n, c) of the categories ``theirs`` in the order of ``ours``; 0 for a category that they do not name.

    >>> renumbered(np.array([[0.75, 0.25]]), ["tea", "toys"], ["twine", "tea"])
    array([[0.  , 0.75]])
    """
    theirs = list(theirs)[: shares.shape[1]]
    if theirs == list(ours[: len(theirs)]):
        return shares
    place = {name: number for number, name in enumerate(ours)}
    known = [(place[name], number) for number, name in enumerate(theirs) if name in place]
    out = np.zeros((len(shares), len(ours)))
    if known:
        to, of = map(list, zip(*known, strict=True))
        out[:, to] = shares[:, of]
    return out


def padded(lists: npt.NDArray[Any], fill: float, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Lists (objects of shape (n,), None for null) as one array (n, longest), padded; an array (n, m) as it is.

    >>> padded(np.array([[1], None, [2, 3]], object), -1, np.int64)
    array([[ 1, -1],
           [-1, -1],
           [ 2,  3]])
    """
    if lists.dtype != object:
        return lists
    lengths = np.fromiter((0 if one is None else len(one) for one in lists), np.int64, len(lists))
    if not lengths.any():
        return np.empty((len(lists), 0), dtype)
    flat = np.concatenate([one for one, length in zip(lists, lengths, strict=True) if length])
    return spread(lengths, flat, fill, dtype)


def spread(lengths: npt.NDArray[Any], flat: npt.NDArray[Any], fill: float, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Lists of ``lengths`` (n,) that stand one after the other in ``flat``, as one array (n, longest), padded."""
    out = np.full((len(lengths), int(lengths.max(initial=0))), fill, dtype)
    out[np.arange(out.shape[1]) < lengths[:, None]] = flat
    return out


def _affinity(shares: npt.NDArray[Any], numbers: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Sum of the user's shares over the item's categories; NaN without shares, 0 without a shared category."""
    rows, kinds = len(numbers), shares.shape[1]
    if kinds == 0:
        return np.full(rows, np.nan)
    shares = np.broadcast_to(shares, (rows, kinds))
    inside = (numbers >= 0) & (numbers < kinds)
    taken = np.take_along_axis(shares, np.where(inside, numbers, 0), axis=1) if numbers.shape[1] else shares[:, :0]
    total = np.where(inside, taken, 0.0).sum(axis=1)
    return np.where(np.isnan(shares[:, 0].astype(np.float64)), np.nan, total)
