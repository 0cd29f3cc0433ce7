"""A cache knows what a plain list of its keeps says it should."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from remora.pipeline.cache import Cache

MOST, SECONDS = 3, 10.0
KEYS = st.sampled_from("abcde")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), KEYS),
        st.tuples(st.just("find"), KEYS),
        st.tuples(st.just("wait"), st.integers(1, 9)),
    ),
    max_size=40,
)


@given(STEPS)
def test_it_keeps_those_used_last_for_so_long_and_says_what_it_knew(steps: list[tuple]) -> None:
    now = 0.0
    cache: Cache[int] = Cache("things", MOST, SECONDS, timer=lambda: now)
    heard: list[tuple[str, bool]] = []
    cache.listener = lambda name, found: heard.append((name, found))
    model: dict[str, tuple[int, float]] = {}  # in order of use
    for number, (step, key) in enumerate(steps):
        if step == "wait":
            now += key
        model = {k: v for k, v in model.items() if v[1] + SECONDS > now}
        if step == "keep":
            model.pop(key, None)
            model[key] = (number, now)
            while len(model) > MOST:
                del model[next(iter(model))]
            cache.put(key, number)
        elif step == "find":
            expected = model.pop(key, None)
            if expected is not None:
                model[key] = expected
            assert cache.get(key) == (None if expected is None else expected[0])
            assert heard[-1] == ("things", expected is not None)
        assert len(cache) <= MOST


def test_it_travels_empty() -> None:
    cache: Cache[int] = Cache("things", MOST, SECONDS)
    cache.put("a", 1)
    arrived = pickle.loads(pickle.dumps(cache))
    assert (arrived.name, arrived.get("a"), len(arrived)) == ("things", None, 0)
    assert cache.get("a") == 1


def test_many_threads_may_use_it() -> None:
    cache: Cache[int] = Cache("things", 50)

    def work(seed: int) -> bool:
        for n in range(2_000):
            key = (seed * n) % 97
            if cache.get(key) not in (None, key):
                return False
            cache.put(key, key)
        return len(cache) <= 50

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(work, range(1, 9)))
