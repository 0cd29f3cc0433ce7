"""Evidence of every gate that hypothesis draws, and the same made worse."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from remora.release.gates.calibration import Calibration, ObjectiveCalibration
from remora.release.gates.coverage import CoverageEvidence
from remora.release.gates.index_recall import IndexRecall
from remora.release.gates.latency import Latency
from remora.release.gates.load import LoadResult
from remora.release.gates.memory import Memory
from remora.release.gates.offline import MetricComparison, Offline
from remora.release.gates.parity import Parity
from remora.release.gates.slate_validity import SlateValidity

share = st.floats(0, 1)
some = st.floats(0, 1e4)
counts = st.integers(1, 10_000)


@dataclass(frozen=True)
class Pair:
    """Evidence, and evidence that is worse in what the gate looks at or the same."""

    better: Any
    worse: Any


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


@st.composite
def offline(draw: st.DrawFn) -> Pair:
    low, high = sorted((draw(st.floats(-1, 1)), draw(st.floats(-1, 1))))
    mean, against = draw(share), draw(optional(share))
    ends = {} if against is None else {"production": against, "low": low, "high": high}
    better = MetricComparison(metric="ndcg", cutoff=10, candidate=mean, **ends)
    lost = draw(share)
    worse = replace(better, candidate=mean - lost, **({} if against is None else {"low": low - draw(share)}))
    window = {"queries": draw(counts), "users": 3, "start": "then", "end": "later"}
    return Pair(Offline(compared=(better,), **window), Offline(compared=(worse,), **window))


@st.composite
def coverage(draw: st.DrawFn) -> Pair:
    shown, less = sorted((draw(counts), draw(counts)), reverse=True)
    better = CoverageEvidence(
        candidate=shown, production=draw(optional(counts)), slates=draw(counts), cutoff=10, items=20_000
    )
    return Pair(better, replace(better, candidate=less))


@st.composite
def calibration(draw: st.DrawFn) -> Pair:
    error, more = sorted((draw(share), draw(share)))
    better = ObjectiveCalibration(objective="like", candidate=error, production=draw(optional(share)))
    return Pair(Calibration(objectives=(better,)), Calibration(objectives=(replace(better, candidate=more),)))


@st.composite
def index_recall(draw: st.DrawFn) -> Pair:
    worse, better = sorted((draw(share), draw(share)))
    made = IndexRecall(recall=better, k=100, questions=10, items=1_000, kind="flat")
    return Pair(made, replace(made, recall=worse))


@st.composite
def slate_validity(draw: st.DrawFn) -> Pair:
    requests = draw(counts)
    few, many = sorted((draw(st.integers(0, requests)), draw(st.integers(0, requests))))
    better = SlateValidity(requests=requests, invalid=few, raised=0, kinds={}, offenders=())
    return Pair(better, replace(better, invalid=many))


@st.composite
def latency(draw: st.DrawFn) -> Pair:
    quick, slow = sorted((draw(some), draw(some)))
    ratio, more = sorted((draw(st.floats(0, 9)), draw(st.floats(0, 9))))
    alone = draw(st.booleans())
    theirs = None if alone else 1.0
    better = Latency(
        p50_ms=quick / 2,
        p99_ms=quick,
        production_p50_ms=theirs,
        production_p99_ms=theirs,
        ratio=None if alone else ratio,
        requests=9,
        rounds=3,
        timeout_ms=150.0,
    )
    return Pair(better, replace(better, p99_ms=slow, ratio=None if alone else more))


@st.composite
def memory(draw: st.DrawFn) -> Pair:
    little, much = sorted((draw(some), draw(some)))
    theirs = draw(optional(some))
    return Pair(Memory(candidate_mib=little, production_mib=theirs), Memory(candidate_mib=much, production_mib=theirs))


@st.composite
def parity(draw: st.DrawFn) -> Pair:
    columns = tuple(draw(st.lists(st.text(max_size=4), max_size=3)))
    more = (*columns, *draw(st.lists(st.text(max_size=4), max_size=3)))
    services = {"ranking": ("a", draw(st.sampled_from(("a", "b", None))))}
    better = Parity(services=services, differing=columns, columns=30, users=5, items=5)
    return Pair(better, replace(better, differing=more))


@st.composite
def loading(draw: st.DrawFn) -> Pair:
    code = draw(st.sampled_from((0, 1, -6, -11, None)))
    return Pair(
        LoadResult(code=code, seconds=3.0), LoadResult(code=code or draw(st.sampled_from((1, -9))), seconds=3.0)
    )


DRAWN: dict[str, st.SearchStrategy[Pair]] = {
    "loads": loading(),
    "parity": parity(),
    "slate_validity": slate_validity(),
    "index_recall": index_recall(),
    "offline": offline(),
    "coverage": coverage(),
    "calibration": calibration(),
    "latency": latency(),
    "memory": memory(),
}
