"""The pages that people read, and the blocks of code in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    """The front page and all pages of the documentation."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> Iterator[str]:
    """The blocks of one language, without their indentation."""
    for indent, kind, text in FENCE.findall(page.read_text()):
        if kind == language:
            yield "".join(line.removeprefix(indent) for line in text.splitlines(True))


def without_blocks(page: Path) -> str:
    """The prose of a page."""
    return FENCE.sub("", page.read_text())
