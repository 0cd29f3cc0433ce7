"""The ways in which a document of a home is damaged in tests."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "garbage": lambda content: b"garbage\n",
    "bytes of no encoding": lambda content: b"\xff\xfe\x80" * 20,
    "zeros": lambda content: b"\0" * len(content),
    "a list": lambda content: b"[1, 2]",
    "an empty object": lambda content: b"{}",
    "another object": lambda content: b'{"format": 4, "bundle": 7, "production": ["x"], "done": 1}',
    "null": lambda content: b"null",
    "a number": lambda content: b"1e999",
    "nested lists": lambda content: b"[" * 5_000 + b"]" * 5_000,
    "nested objects": lambda content: b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "a lone surrogate": lambda content: b'{"bundle": "\\ud800"}',
    "a NUL in every text": lambda content: content.replace(b'": "', b'": "\\u0000'),
}
"""By name, what is there after it of what was there before."""


@st.composite
def scrambled(draw: st.DrawFn, content: bytes) -> bytes:
    """The content with up to twenty bytes changed, and perhaps cut."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 20))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    return bytes(changed[: draw(st.integers(0, len(changed)))]) if draw(st.booleans()) else bytes(changed)
