"""Commands killed at random instants: is the home whole after each? python -m benchmarks.kills [--json].

On a small shop of its own, each command is started as a process, and it and all its processes are ended by SIGKILL at
an instant drawn from the time that it takes. Then the home is looked at: pointers, every version and bundle against its
hashes, alias = traffic = last record, Feast's stores, records, settings, locks. After every few kills the command is
run to its end, on what the kills have left. With --folder it continues where it was stopped.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.command import Note, carried_out, common_options
from benchmarks.kills import forked, shop, whole
from rich.console import Console
from rich.table import Table

from remora.settings import Settings, load

PATIENCE_SECONDS = 900.0


@dataclass(frozen=True)
class Kind:
    """A command, how often it is killed in 100, how many kills a run to its end follows, and what it is given to do."""

    name: str
    share: int
    kills_a_run: int
    prepare: Callable[[Shop, int], None]
    arguments: Callable[[Shop, int], list[str]]


@dataclass(frozen=True)
class Shop:
    """Where it all happens."""

    folder: Path

    @property
    def config(self) -> Path:
        """The settings' file."""
        return self.folder / "settings.yaml"

    @property
    def log(self) -> Path:
        """What the commands print."""
        return self.folder / "commands.log"

    @property
    def settings(self) -> Settings:
        """As they are now."""
        return load(self.config)

    def bundles(self) -> list[str]:
        """Ids, in order."""
        from remora.registry.bundles import Bundles

        return sorted(Bundles(self.settings).store.ids())

    def other_bundle(self) -> str:
        """One that is not in production."""
        from remora.registry.bundles import Bundles

        return next(id for id in self.bundles() if id != Bundles(self.settings).resolve("production"))


def _nothing(at: Shop, number: int) -> None:
    pass


def _features_in_use(at: Shop, number: int) -> None:
    """What an ingest or a build has changed is made, registered and filled, as a bundle asks for; a new setting."""
    for step in ("build", "apply", "materialize"):
        command = forked.Command(["features", step, "-c", str(at.config)], at.log)
        if command.wait(PATIENCE_SECONDS) != 0:
            raise SystemExit(f"remora features {step} did not end well: see {at.log}")
    shop.change(at.folder, "surfaces", "home_feed", {"sources": {"newest": {"limit": 50 + number % 900}}})


KINDS = (
    Kind(
        "promote",
        25,
        1,
        _nothing,
        lambda at, number: [
            *("bundle", "promote", at.other_bundle(), "--force", "--why", f"kill {number}", "-c", str(at.config))
        ],
    ),
    Kind(
        "rollback",
        20,
        1,
        _nothing,
        lambda at, number: ["rollback", "--to", at.other_bundle(), "--why", f"kill {number}", "-c", str(at.config)],
    ),
    Kind(
        "data ingest",
        20,
        4,
        lambda at, number: shop.sell_one_more(at.folder, number),
        lambda at, number: ["data", "ingest", "-c", str(at.config)],
    ),
    Kind(
        "features build",
        15,
        4,
        lambda at, number: shop.change(at.folder, "features", "seen_limit", 100 + number % 900),
        lambda at, number: ["features", "build", "-c", str(at.config)],
    ),
    Kind("bundle build", 10, 4, _features_in_use, lambda at, number: ["bundle", "build", "-c", str(at.config)]),
    Kind(
        "run",
        10,
        3,
        lambda at, number: shop.sell_one_more(at.folder, number),
        lambda at, number: ["run", "-c", str(at.config)],
    ),
)
FIRST = ("run", "bundle build", "promote", "rollback", "data ingest", "features build")
"""The order in which each is run once before anything is killed: the first two make the bundles."""


def main() -> None:
    """Kill, and print or write."""
    options = common_options(__doc__)
    options.add_argument("--kills", type=int, default=200, help="how many in all")
    options.add_argument("--seed", type=int, default=0, help="of the instants")
    options.add_argument("--folder", type=Path, help="keep the shop here, and continue with what is there")
    chosen = options.parse_args()
    carried_out(
        "kills",
        lambda folder, note: killed(Shop((chosen.folder or folder).resolve()), chosen.kills, chosen.seed, note),
        facts={"kills": chosen.kills, "seed": chosen.seed},
        out=chosen.out,
        as_json=chosen.json,
        draw=drawn,
    )


def killed(at: Shop, kills: int, seed: int, note: Note) -> dict[str, Any]:
    """So many kills, of which each leaves a line in the folder's ``kills.jsonl``."""
    shop.write(at.folder)
    forked.warm()
    from remora.wiring import cluster

    head = cluster.start_head(at.settings)
    try:
        note(f"Ray at {head.facts['address']}; {at.folder}")
        journal = at.folder / "kills.jsonl"
        lines = [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []
        usual = _baseline(at, lines, note)
        while (number := sum(line["killed"] for line in lines)) < kills:
            kind = _next(lines, kills)
            line = _one(at, kind, len(lines), usual, random.Random(f"{seed} {len(lines)}"))
            lines.append(line)
            with journal.open("a") as file:
                file.write(json.dumps(line) + "\n")
            if line["broken"] or line["code"] not in (0, None) or len(lines) % 10 == 0:
                note(f"{number + line['killed']} kills; {line}")
    finally:
        cluster.stop_head()
    return _summed(lines) | {"staging_left": whole.staging_folders(at.settings)}


def _baseline(at: Shop, lines: list[dict[str, Any]], note: Note) -> dict[str, float]:
    """Seconds that each command takes; a full run of each the first time, two bundles among them."""
    file = at.folder / "usual.json"
    usual: dict[str, float] = json.loads(file.read_text()) if file.exists() else {}
    for number, kind in enumerate(sorted(KINDS, key=lambda kind: FIRST.index(kind.name))):
        if kind.name in usual:
            continue
        kind.prepare(at, number)
        command = forked.Command(kind.arguments(at, number), at.log)
        code = command.wait(PATIENCE_SECONDS)
        if code != 0:
            raise SystemExit(f"remora {kind.name} ended with {code} before anything was killed: see commands.log")
        usual[kind.name] = command.seconds
        note(f"{kind.name} takes {command.seconds:.1f} s")
        file.write_text(json.dumps(usual))
    return usual


def _next(lines: list[dict[str, Any]], kills: int) -> Kind:
    """The quick command that lags most behind its share; when none is left, the others one after the other."""
    counts = {kind.name: sum(line["command"] == kind.name and line["killed"] for line in lines) for kind in KINDS}
    left = [kind for kind in KINDS if counts[kind.name] < kind.share * kills / 100] or [KINDS[-1]]
    quick = [kind for kind in left if kind.name not in ("bundle build", "run")]
    return min(quick, key=lambda kind: counts[kind.name] / kind.share) if quick else left[0]


def _one(at: Shop, kind: Kind, number: int, usual: dict[str, float], draw: random.Random) -> dict[str, Any]:
    """Kill the command once, look at the home, and now and then run it to its end.

    ``number`` differs each time, also where the command ended before it was killed: else there is nothing to do, and
    the next instant would be drawn from the time of that.
    """
    kind.prepare(at, 1_000 + number)
    arguments, log = kind.arguments(at, number), at.log
    seconds = draw.uniform(0, usual[kind.name])
    command = forked.Command(arguments, log)
    code = command.wait(seconds)
    if code is None:
        command.kill()
    else:
        usual[kind.name] = min(usual[kind.name], command.seconds)  # not of the runs to the end, which may be look-ups
    began = time.monotonic()
    broken = whole.broken(at.settings)
    line: dict[str, Any] = {
        "command": kind.name,
        "killed": code is None,
        "after_seconds": round(seconds, 3),
        "broken": broken,
        "code": code,
        "staging": whole.staging_folders(at.settings),
        "looked_seconds": round(time.monotonic() - began, 2),
        "completed": None,
    }
    if code is None and draw.random() < 1 / kind.kills_a_run:
        again = forked.Command(kind.arguments(at, number), log)
        line["code"] = again.wait(PATIENCE_SECONDS)
        if line["code"] is None:
            again.kill()
        line["completed"] = line["code"] == 0
        line["broken"] = broken + whole.broken(at.settings)
    return line


def _summed(lines: list[dict[str, Any]]) -> dict[str, Any]:
    found = {}
    for kind in KINDS:
        of_kind = [line for line in lines if line["command"] == kind.name]
        dead = [line for line in of_kind if line["killed"]]
        found[kind.name] = {
            "kills": len(dead),
            "broken_homes": sum(bool(line["broken"]) for line in of_kind),
            "run_to_the_end_after": sum(line["completed"] is not None for line in dead),
            "of_these_completed": sum(line["completed"] is True for line in dead),
            "ended_before_the_kill": len(of_kind) - len(dead),
        }
    broken = [line for line in lines if line["broken"]]
    return {"commands": found, "broken_homes": len(broken), "broken": broken}


def drawn(out: Console, result: dict[str, Any]) -> None:
    """One row a command."""
    table = Table(title=f"{result['broken_homes']} broken homes of {result['kills']} kills", title_justify="left")
    for name in ("command", "kills", "broken homes", "run to the end after", "of these completed"):
        table.add_column(name, justify="left" if name == "command" else "right")
    for name, row in result["commands"].items():
        keys = ("kills", "broken_homes", "run_to_the_end_after", "of_these_completed")
        table.add_row(name, *(str(row[key]) for key in keys))
    out.print(table)
