"""Aliases without a promotion record: moved in MLflow beside the records, or by a record that cannot be read.

Neither counts for anything, and both are named until they are mended.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, TypeAdapter

from remora.control.traffic import PRODUCTION
from remora.core.errors import UnreadableInput
from remora.core.home import Home
from remora.core.json_document import read_document

PATH = "serving/unrecorded_moves.json"


class UnrecordedMove(BaseModel):
    """One alias: the bundle that the last promotion record says, and the one that MLflow says; None is no bundle.

    ``damaged`` is the last record's file and why it cannot be read; ``recorded`` is then what the alias means without
    it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    alias: str
    recorded: str | None
    found: str | None
    damaged: str | None = None

    @property
    def message(self) -> str:
        """What happened, what counts, and what to do."""
        return self._of_damaged() if self.damaged else self._of_moved()

    def _of_damaged(self) -> str:
        counts = f"means {self.recorded or 'no bundle'}"
        if self.alias == PRODUCTION and self.recorded:
            counts = f"stays {self.recorded}, as replicas were last told"
        back = f" `remora rollback --to ID` or `remora bundle promote {self.recorded or 'ID'}`"
        other = f" `remora bundle promote ID --alias {self.alias}`"
        return (
            f"The last promotion record of the alias {self.alias} cannot be read and counts for nothing: "
            f"{self.damaged}. {self.alias.capitalize()} {counts}; MLflow says {self.found or 'no bundle'}."
            f"{back if self.alias == PRODUCTION else other} writes a new record."
        )

    def _of_moved(self) -> str:
        found, recorded = self.found or "no bundle", self.recorded or "no bundle"
        promote = f"`remora bundle promote {self.found} --alias {self.alias}` records a promotion of {self.found}, and "
        return (
            f"The alias {self.alias} was moved in MLflow without a promotion record: MLflow says {found}, the last "
            f"record says {recorded}, which is what counts. {promote if self.found else ''}`remora bundle "
            f"restore-aliases` makes MLflow say {recorded} again. Find out who can write to the tracking server."
        )


MOVES = TypeAdapter(tuple[UnrecordedMove, ...])


@dataclass(frozen=True)
class UnrecordedMoves:
    """What the last command found, in the home, where replicas read it: they do not ask MLflow."""

    home: Home

    def read(self) -> tuple[UnrecordedMove, ...]:
        """Empty where nothing was found, another version of Remora wrote it, or it is damaged: the next command that
        looks writes it again."""
        try:
            return read_document(self.home, PATH, tuple[UnrecordedMove, ...], "")
        except (FileNotFoundError, UnreadableInput):
            return ()

    def write(self, moves: tuple[UnrecordedMove, ...]) -> bool:
        """Replace it; False where it says the same already, and nothing is written."""
        if moves == self.read() and bool(moves) == self.home.exists(PATH):
            return False
        if moves:
            self.home.write_bytes(PATH, MOVES.dump_json(moves, indent=1))
        else:
            self.home.delete(PATH)
        return True
