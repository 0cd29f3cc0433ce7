"""The reference pages are what the code says now."""

from __future__ import annotations

import pytest
from docs.reference_pages.table import FOLDER, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_fresh(name: str) -> None:
    written = (FOLDER / name).read_text()
    assert written == PAGES[name](), f"docs/reference/{name} is not fresh: run `make reference`"


def test_every_setting_says_what_it_means() -> None:
    rows = [line for line in (FOLDER / "settings.md").read_text().splitlines() if line.startswith("| `")]
    assert len(rows) > 250
    assert not [row for row in rows if row.endswith("|  |")]
