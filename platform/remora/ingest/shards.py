"""Shards, the numbered files of one table (`train-00000-of-00003.parquet`), and the splits that they make up.

Directories of the Hugging Face Hub are laid out so: https://huggingface.co/docs/hub/datasets-file-names-and-splits
"""

from __future__ import annotations

import logging
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from remora.core.errors import DataError, MissingInput

log = logging.getLogger(__name__)

_SHARD = re.compile(r"(?:(?P<prefix>.*?)[-_.])?(?P<number>\d+)-of-(?P<of>\d+)(?:[-_.].*)?")
_NUMBER_AT_THE_END = re.compile(r"[-_]?\d+$")


@dataclass(frozen=True)
class Shard:
    """What the name of a shard says: its own number, from 0 or 1, as text, and how many shards there are."""

    prefix: str
    number: str
    of: str

    @classmethod
    def of_name(cls, name: str) -> Shard | None:
        """None for a name that is not one of a shard.

        >>> Shard.of_name("train-00000-of-00003-5f0c.parquet")
        Shard(prefix='train', number='00000', of='00003')
        """
        found = _SHARD.fullmatch(name)
        return cls(found["prefix"] or "", found["number"], found["of"]) if found else None

    def sibling(self, number: int) -> str:
        """The name of another shard, without what follows the numbers.

        >>> Shard("train", "00000", "00003").sibling(1)
        'train-00001-of-00003'
        """
        begin = f"{self.prefix}-" if self.prefix else ""
        return f"{begin}{number:0{len(self.number)}d}-of-{self.of}"


def files_of_splits(folder: str, files: list[str], splits: str | None) -> list[str]:
    """Those of the ``files``, paths below the folder, that are of the splits (`train+test`); all for None.

    A file is of a split when a folder above it has the split's name, or its own name begins with it. MissingInput for a
    split without a file.
    """
    if splits is None:
        if len(named := sorted({s.prefix for file in files if (s := Shard.of_name(posixpath.basename(file)))})) > 1:
            log.warning(
                "%s has the splits %s, and all are read: `split: %s` reads one, `split: %s` says that all are meant",
                folder,
                ", ".join(named),
                named[-1],
                "+".join(named),
            )
        return files
    wanted = splits.split("+")
    names = {file: split_names(file) for file in files}
    for split in wanted:
        if not any(split in found for found in names.values()):
            known = sorted({posixpath.basename(name) for found in names.values() for name in found})
            raise MissingInput("split", split, known[:20], f"`split` names it; the directory is {folder}.")
    return [file for file in files if not names[file].isdisjoint(wanted)]


def split_names(file: str) -> set[str]:
    """What a file may be called a split of: the folders above it, and its name without numbers and endings.

    >>> sorted(split_names("en/train-00000-of-00003.parquet")), split_names("test_1.parquet")
    (['en', 'train'], {'test'})
    """
    *folders, name = file.split("/")
    shard = Shard.of_name(name)
    return {*folders, shard.prefix if shard else _NUMBER_AT_THE_END.sub("", name.partition(".")[0])}


def check_shards(folder: str, files: Iterable[str]) -> None:
    """MissingInput when a shard is missing of those that the names announce; DataError when two sets lie side by side.

    ``files`` are paths below the folder. A shard that is not there would otherwise go unnoticed: the table is shorter.
    """
    sets: dict[tuple[str, str], dict[str, list[tuple[Shard, str]]]] = defaultdict(lambda: defaultdict(list))
    for file in files:
        below, name = posixpath.split(file)
        if shard := Shard.of_name(name):
            sets[below, shard.prefix][shard.of].append((shard, file))
    for (below, prefix), found in sets.items():
        where = posixpath.join(folder, below) if below else folder
        if len(found) > 1:
            listed = " and ".join(f"{len(parts)} of {of}" for of, parts in sorted(found.items()))
            raise DataError(
                f"{where} has shards of two sets called '{prefix}': {listed}. One is left from an earlier export: "
                f"remove it."
            )
        ((of, parts),) = found.items()
        _check_set(where, int(of), parts)


def _check_set(where: str, of: int, parts: list[tuple[Shard, str]]) -> None:
    by_number: dict[int, str] = {}
    for shard, file in parts:
        if (other := by_number.setdefault(int(shard.number), file)) != file:
            raise DataError(
                f"{where} has one shard twice: {posixpath.basename(other)} and {posixpath.basename(file)}. One is left "
                f"from an earlier export: remove it."
            )
    # Most writers count from 0; with the last number there, this one counts from 1.
    expected = range(1, of + 1) if of in by_number else range(of)
    if missing := [number for number in expected if number not in by_number]:
        shard = parts[0][0]
        raise MissingInput(
            "shard",
            shard.sibling(missing[0]),
            hint=f"{where} has {len(by_number):,} of {of:,} shards. Fetch what is missing, or name the files that are "
            f"meant one by one.",
        )
    if extra := sorted(number for number in by_number if number not in expected):
        raise DataError(
            f"{by_number[extra[0]]} in {where} is numbered beyond the {of:,} shards that its name announces. Rename it "
            f"or take it out."
        )
