"""Aliases that were moved in MLflow without a promotion record: they count for nothing, and are named until mended."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from remora.contracts.home import Home

PATH = "serving/unrecorded_moves.json"


class UnrecordedMove(BaseModel):
    """One alias: the bundle that the last promotion record says, and the one that MLflow says; None is no bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alias: str
    recorded: str | None
    found: str | None

    @property
    def message(self) -> str:
        """What happened, what counts, and what to do."""
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
        """Empty where nothing was found, or another version of Remora wrote it."""
        try:
            return MOVES.validate_json(self.home.read_bytes(PATH)) if self.home.exists(PATH) else ()
        except (FileNotFoundError, ValidationError):
            return ()

    def write(self, moves: tuple[UnrecordedMove, ...]) -> bool:
        """Replace it; False where it says the same already, and nothing is written."""
        if moves == self.read():
            return False
        if moves:
            self.home.write_bytes(PATH, MOVES.dump_json(moves, indent=1))
        else:
            self.home.delete(PATH)
        return True
