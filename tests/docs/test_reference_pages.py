"""The reference pages are what the code says now."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from docs.reference_pages.table import FOLDER, PAGES

MAKE = """
import json, sys
from docs.reference_pages.table import PAGES
json.dump({name: page() for name, page in PAGES.items()}, sys.stdout)
"""


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    """All pages, of a process of their own as `make reference` has it: signatures depend on what tests have imported
    and put in place of it."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{MAKE}"],
        capture_output=True,
        check=True,
        text=True,
    )
    pages: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return pages


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_fresh(name: str, made: dict[str, str]) -> None:
    written = (FOLDER / name).read_text()
    assert written == made[name], f"docs/reference/{name} is not fresh: run `make reference`"


def test_every_setting_says_what_it_means() -> None:
    rows = [line for line in (FOLDER / "settings.md").read_text().splitlines() if line.startswith("| `")]
    assert len(rows) > 250
    assert not [row for row in rows if row.endswith("|  |")]
