"""What can be read and is not plausible: an error where the reading is certainly wrong, else a warning with counts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from remora.core.errors import Implausible


class Finding(BaseModel):
    """One thing that is doubtful: ``count`` of ``of`` rows (or ids, or files, as ``what`` says), with a few examples.

    ``code`` names the check; docs/reference/data_tables.md lists the codes. ``what`` and ``advice`` are sentences.
    """

    model_config = ConfigDict(frozen=True)

    code: str
    level: Literal["error", "warning"] = "warning"
    table: str
    column: str | None = None
    count: int
    of: int
    examples: tuple[str, ...] = ()
    what: str
    advice: str

    def __str__(self) -> str:
        """In one line."""
        some = f" E.g. {', '.join(map(repr, self.examples))}." if self.examples else ""
        return f"[{self.code}] {self.what}{some} {self.advice}"


def refuse(findings: Iterable[Finding]) -> None:
    """Raises Implausible with every error among the findings."""
    if errors := [str(finding) for finding in findings if finding.level == "error"]:
        raise Implausible(errors)
