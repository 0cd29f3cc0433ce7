"""Proposes settings for tables, writes them, and brings the tables to the lake by them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from remora.ingest.ingest import ingest
from remora.ingest.lake import Lake
from remora.project.proposal.propose import Proposal, propose
from remora.settings import load

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def proposed(folder: Path, tables: dict[str, str], **given: str) -> Proposal:
    """The proposal, which is the same the second time."""
    home = str(folder / "home")
    found = propose(tables, given, name="tried", home=home, now=NOW)
    assert propose(tables, given, name="tried", home=home, now=NOW).text == found.text
    return found


def brought(folder: Path, proposal: Proposal) -> Lake:
    """The lake that the proposed file makes, without an edit."""
    file = folder / "remora.yaml"
    file.write_text(proposal.text)
    return ingest(load(file))


def counts(lake: Lake, table: str = "events") -> dict[str, Any]:
    """Rows in, accepted, and why not."""
    return {name: lake.artifact.metadata["counts"][table][name] for name in ("rows", "accepted", "reasons")}


def written(folder: Path, name: str, rows: list[str]) -> str:
    """A text file of these lines; its path."""
    (folder / name).write_text("\n".join(rows) + "\n")
    return str(folder / name)
