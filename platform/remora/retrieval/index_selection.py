"""Which kind of index, looking how hard: decided by measurement."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from remora.core.errors import DataError
from remora.retrieval.index import EXACT_LIMIT, ItemIndex, checked, exact_rows
from remora.retrieval.index_types import INDEX_TYPES, TRAINING_ROWS

Vectors = npt.NDArray[np.float32]

PROBE_ROWS = 20_000
ROUNDS = 3

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What an index must reach, and may cost: ``recall`` at ``k`` against exact search, time to build, memory."""

    recall: float = 0.98
    k: int = 500
    build_seconds: float = 600.0
    memory_mib: float = 4_096.0


@dataclass(frozen=True, kw_only=True)
class IndexMeasurement:
    """One kind at the least effort that reaches the recall, or at its greatest. Without ``recall``: not built, and why
    stands in ``note``."""

    kind: str
    effort: int = 0
    recall: float | None = None
    queries_per_second: float = 0.0
    build_seconds: float = 0.0
    memory_mib: float = 0.0
    note: str = ""

    def as_row(self) -> dict[str, Any]:
        """For a report."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class IndexSelection:
    """The chosen index, and what was measured of every kind."""

    index: ItemIndex
    chosen: str
    measured: tuple[IndexMeasurement, ...]


def choose(
    vectors: Vectors,
    questions: Vectors,
    budget: Budget | None = None,
    on_measured: Callable[[IndexMeasurement], None] | None = None,
) -> IndexSelection:
    """The fastest kind that reaches the recall within the budget; exact search where none is faster.

    ``questions`` (n, d) should be users' vectors: an index is easier for items among themselves. Speed is that of one
    question at a time on one thread, as a replica asks. ``on_measured`` hears of each kind as soon as it was measured;
    the default logs a line. DataError without questions.
    """
    budget = budget or Budget()
    vectors, questions = checked(vectors), checked(questions, vectors.shape[1])
    if not len(questions):
        raise DataError("An index cannot be chosen without questions to ask it; give users' vectors.")
    best = exact_rows(vectors, questions, min(budget.k, len(vectors)))
    tried: list[tuple[IndexMeasurement, ItemIndex | None]] = []
    for kind in INDEX_TYPES:
        found = _tried(kind, vectors, questions, best, budget)
        (on_measured or _log)(found[0])
        tried.append(found)
    able = [(m, index) for m, index in tried if index is not None and (m.recall or 0) >= budget.recall]
    measured, index = max(able, key=lambda one: one[0].queries_per_second)
    assert index is not None  # exact search always reaches the recall
    return IndexSelection(index=index, chosen=measured.kind, measured=tuple(m for m, _ in tried))


def index_of(vectors: Vectors, questions: Vectors) -> ItemIndex:
    """Exact for a small catalogue or without questions; else what :func:`choose` finds, within the usual budget."""
    if len(vectors) <= EXACT_LIMIT or not len(questions):
        return ItemIndex.build(vectors)
    return choose(vectors, questions).index


def _log(found: IndexMeasurement) -> None:
    log.info("index %s: %s", found.kind, described(found))


def described(found: IndexMeasurement) -> str:
    """One line for a person."""
    if found.recall is None:
        return found.note
    return (
        f"recall {found.recall:.4f} at effort {found.effort}, {found.queries_per_second:,.0f} queries/s, built in "
        f"{found.build_seconds:,.1f} s, {found.memory_mib:,.0f} MiB {found.note}".rstrip()
    )


def _tried(
    kind: str, vectors: Vectors, questions: Vectors, best: npt.NDArray[np.int64], budget: Budget
) -> tuple[IndexMeasurement, ItemIndex | None]:
    likely = _seconds_to_build(kind, vectors)
    if kind != "flat" and likely > budget.build_seconds:
        return IndexMeasurement(
            kind=kind, note=f"about {likely:.0f} s to build, the budget is {budget.build_seconds:.0f} s"
        ), None
    begun = time.perf_counter()
    index = ItemIndex.build(vectors, kind=kind)
    took = time.perf_counter() - begun
    memory = len(faiss.serialize_index(index.faiss_index)) / (1 << 20)
    facts: dict[str, Any] = {"kind": kind, "build_seconds": round(took, 2), "memory_mib": round(memory, 1)}
    if kind != "flat" and memory > budget.memory_mib:
        return IndexMeasurement(**facts, note=f"more than the budget of {budget.memory_mib:.0f} MiB"), None
    recall = 0.0
    for effort in INDEX_TYPES[kind].efforts:
        index.effort = effort
        recall = _recall(index, questions, best)
        if recall >= budget.recall:
            break
    speed = _speed(index, questions, best.shape[1])
    note = "" if recall >= budget.recall else "does not reach the recall"
    return IndexMeasurement(
        **facts, effort=index.effort, recall=round(recall, 4), queries_per_second=round(speed, 1), note=note
    ), index


def _seconds_to_build(kind: str, vectors: Vectors) -> float:
    """From a part of the items: learning centroids stops to cost more at the rows they are learned from, adding costs n
    log n for a graph and less for the others."""
    if len(vectors) <= 2 * PROBE_ROWS or kind in ("flat", "scalar"):
        return 0.0
    probe = vectors[np.random.default_rng(7).choice(len(vectors), PROBE_ROWS, replace=False)]
    begun = time.perf_counter()
    index = INDEX_TYPES[kind].empty(probe)
    learned = time.perf_counter()
    index.add(probe)
    added = time.perf_counter()
    ratio = len(vectors) / PROBE_ROWS * math.log(len(vectors)) / math.log(PROBE_ROWS)
    return (learned - begun) * min(len(vectors), TRAINING_ROWS) / PROBE_ROWS + (added - learned) * ratio


def _recall(index: ItemIndex, questions: Vectors, best: npt.NDArray[np.int64]) -> float:
    found = [index.search(question, best.shape[1]).rows for question in questions]
    return float(np.mean([np.isin(b, f).mean() for b, f in zip(best, found, strict=True)]))


def _speed(index: ItemIndex, questions: Vectors, k: int) -> float:
    """Questions answered in a second, the median of some rounds."""
    rounds = []
    with _one_thread():
        for _ in range(ROUNDS):
            begun = time.perf_counter()
            for question in questions:
                index.search(question, k)
            rounds.append(len(questions) / (time.perf_counter() - begun))
    return float(np.median(rounds))


@contextmanager
def _one_thread() -> Iterator[None]:
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
