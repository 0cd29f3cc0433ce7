"""From tables to a settings file: look at samples, decide, write, and try what was written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from remora.project.proposal.analysis import Analysis, analyse
from remora.project.proposal.check import broken_rows
from remora.project.proposal.sample import sample_folder
from remora.project.proposal.settings_text import settings_text
from remora.project.proposal.windows import LEAST_POSITIVE
from remora.settings import Settings
from remora.settings.references import resolved
from remora.settings.yaml_file import parse

FEW_USERS, FEW_EVENTS = 50, 5_000


@dataclass(frozen=True)
class Proposal:
    """A settings file as text, what it rests on, and what is not sure: (what, what to change)."""

    text: str
    settings: Settings
    analysis: Analysis
    doubts: tuple[tuple[str, str], ...]


def propose(paths: Mapping[str, str], given: Mapping[str, str], *, name: str, home: str, now: datetime) -> Proposal:
    """Propose settings for the tables that ``paths`` names: events, and items and users where there are any.

    ``given`` are columns of the events that the user has named, by their role. The same tables give the same proposal.
    DataError, MissingInput or UnreadableInput say what to do where a table cannot be used.
    """
    with sample_folder() as folder:
        found = analyse(paths, given, Path(folder), now)
        doubts = [*found.doubts, *_small(found)]
        text = settings_text(found, name=name, home=home, doubts=doubts)
        settings = _read(text)
        if broken := list(broken_rows(settings, found)):
            doubts += broken
            text = settings_text(found, name=name, home=home, doubts=doubts)
            settings = _read(text)
    return Proposal(text, settings, found, tuple(doubts))


def name_of(folder: Path) -> str:
    """A name for the settings, made of the folder's.

    >>> name_of(Path("/shops/My Shop (2)"))
    'my-shop-2'
    """
    return re.sub(r"[^a-z0-9_]+", "-", folder.resolve().name.lower()).strip("-_")[:100] or "my-project"


def _small(found: Analysis) -> list[tuple[str, str]]:
    """Data that is too small, or too short, to be learned from or measured."""
    split, events = found.split, found.events.sample.total
    if not split.windows:
        return [
            (
                f"The events are of {split.days} days, which cannot be cut in four windows of time",
                "Bring events of a longer time: training needs four windows.",
            )
        ]
    doubts = []
    if split.least < LEAST_POSITIVE:
        doubts.append(
            (
                f"One window has about {split.least} positive events that count, so its figures say little",
                "Bring more events, or change `split`; gates may refuse such a bundle.",
            )
        )
    users = found.rows["user"].n_unique()
    if events < FEW_EVENTS or users < FEW_USERS:
        doubts.append(
            (
                f"{events:,} events of {users:,} users are few: popular items may do as well",
                "Enough to try all steps; bring more before you judge the quality.",
            )
        )
    return doubts


def _read(text: str) -> Settings:
    values, _ = resolved(parse(text, Path("the proposed settings")), Path("the proposed settings"))
    return Settings(**values)
