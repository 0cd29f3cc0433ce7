"""`remora rollout`: a new bundle under live traffic, a step at a time."""

from __future__ import annotations

import getpass
import json
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.live import Live
from rich.text import Text

from remora.cli import gate
from remora.cli.options import ConfigOption, JsonOption, console, emit
from remora.core.errors import NotReady
from remora.core.home import Home
from remora.core.printable import printable
from remora.settings import Settings, load

if TYPE_CHECKING:
    from remora.release.rollout.commands import Action
    from remora.release.rollout.controller import Controller
    from remora.release.rollout.state import Rollout

app = typer.Typer(
    no_args_is_help=True,
    help="""Roll a bundle out: scored beside production, then for a growing share of users, then production.

    A plan is [bold]shadow:10m,canary:5%:30m,ramp:25%:1h,full[/bold]. Each step advances, waits or is rolled back by
    what the replicas count: failed, degraded, unscored, underfilled and slow answers, those after their deadline, and
    rewards where the lake has them. The controller may crash at any time; [bold]remora rollout resume[/bold]
    continues the rollout.""",
)

ByOption = Annotated[str, typer.Option(help="For the journal; default: who is logged in.")]
WhyOption = Annotated[str, typer.Option(help="For the journal.")]
DetachOption = Annotated[
    bool, typer.Option("--detach", help="Carry it out on the Ray cluster, which starts it again when it dies.")
]
UNFINISHED = 4
PATIENCE_SECONDS = 15.0


@app.command()
def start(
    bundle: Annotated[str, typer.Option(help="Id or alias of the bundle; see `remora bundle list`.")],
    plan: Annotated[str, typer.Option(help="For example shadow:10m,canary:5%:30m,ramp:25%:1h,full.")],
    why: WhyOption = "",
    by: ByOption = "",
    force: Annotated[
        bool, typer.Option("--force", help="Whatever the gates say; needs --why, which the journal keeps.")
    ] = False,
    detach: DetachOption = False,
    config: ConfigOption = None,
) -> None:
    """Begin a rollout of a bundle that passes its gates, and carry it out. Ctrl-C leaves it where it is."""
    from remora.registry.bundles import Bundles
    from remora.release.gates.promotion import through
    from remora.release.rollout.controller import utc_now
    from remora.release.rollout.plan import Plan
    from remora.release.rollout.start import controller_lock, start_rollout

    parsed, settings = Plan.parse(plan), load(config)
    if detach:
        _check_cluster(settings)
    bundles = Bundles(settings)
    gate.ready(settings, bundle, force=force)
    why, _ = through(settings, bundles.open(bundle).id, why=why, force=force)
    with controller_lock(settings):
        begun = start_rollout(bundles, bundle=bundle, plan=parsed, by=by or getpass.getuser(), why=why, now=utc_now())
        console.print(f"Rollout {begun.id}: bundle {begun.bundle} against {begun.production}")
        if not detach:
            _carry_out(settings)
    if detach:
        _detach(settings)


@app.command()
def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Where the rollout stands: step, guardrails with bounds, overlap, drift, latency, and the journal."""
    from remora.release.rollout.controller import utc_now
    from remora.release.rollout.rendering import render
    from remora.release.rollout.state import Rollouts

    settings = load(config)
    rollout, controller_alive = Rollouts(Home(settings.home)).current(), _is_controlled(settings)
    shown = json.loads(rollout.model_dump_json(exclude={"counters", "processed"})) | {
        "stage": rollout.stage_name,
        "share": rollout.step.share if rollout.step else 0.0,
        "controller_alive": controller_alive,
    }
    emit(shown, as_json, lambda out: render(out, rollout, utc_now(), controller_alive=controller_alive))


@app.command()
def pause(why: WhyOption = "", by: ByOption = "", config: ConfigOption = None) -> None:
    """Keep the share as it is until `resume`; harm still takes the bundle back."""
    from remora.release.rollout.commands import Action

    _ask(load(config), Action.PAUSE, by, why)


@app.command()
def resume(why: WhyOption = "", by: ByOption = "", detach: DetachOption = False, config: ConfigOption = None) -> None:
    """Continue: after a pause, or where a controller died or was interrupted."""
    from remora.release.rollout.commands import Action
    from remora.release.rollout.start import controller_lock
    from remora.release.rollout.state import Rollouts, Status

    settings = load(config)
    home = Home(settings.home)
    rollout = Rollouts(home).current()
    if rollout.status.ended:
        raise NotReady(f"Rollout {rollout.id} is {rollout.status}: there is nothing to continue with.")
    if rollout.status is Status.PAUSED:
        _ask(settings, Action.RESUME, by, why)
    if _is_controlled(settings):
        console.print("A controller carries it out; `remora rollout status` shows it.")
    elif detach:
        _detach(settings)
    else:
        with controller_lock(settings):
            _carry_out(settings)


@app.command()
def abort(why: WhyOption = "", by: ByOption = "", config: ConfigOption = None) -> None:
    """Give it up: production serves all users as before, and the bundle gets no request any more."""
    from remora.release.rollout.commands import Action

    _ask(load(config), Action.ABORT, by, why)


def _ask(settings: Settings, what: Action, by: str, why: str) -> None:
    """Write the command down and have it processed: by the controller that lives, or here and now."""
    from remora.release.rollout.commands import Command, CommandQueue
    from remora.release.rollout.start import controller_lock
    from remora.release.rollout.state import Rollouts

    home = Home(settings.home)
    rollout = Rollouts(home).current()
    if rollout.status.ended:
        raise NotReady(f"Rollout {rollout.id} is {rollout.status}: there is nothing to {what}.")
    key = CommandQueue(home, rollout.id).ask(Command(what=what, by=by or getpass.getuser(), why=why))
    if not _is_controlled(settings):
        with controller_lock(settings):
            _controller(settings).look()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while key not in (now := Rollouts(home).read(rollout.id)).processed:
        if time.monotonic() > deadline:
            console.print(
                f"Not processed yet: the controller will {what} it at its next look. See `remora rollout status`."
            )
            return
        time.sleep(0.2)
    console.print(f"Rollout {now.id}: {now.status} at {now.stage_name}")


def _is_controlled(settings: Settings) -> bool:
    """Does a controller live?"""
    from remora.release.rollout.start import controller_lock

    try:
        with controller_lock(settings):
            return False
    except NotReady:
        return True


def _controller(settings: Settings) -> Controller:
    from remora.release.rollout.controller import Controller
    from remora.release.rollout.preflight import preflight

    return Controller(settings, preflight=preflight)


def _check_cluster(settings: Settings) -> None:
    """NotReady where there is no cluster that outlives this command."""
    from remora.wiring import cluster

    if not cluster.outlives(settings):
        raise NotReady(
            "No Ray cluster runs that could carry it out. Run `remora serve start` first, or leave --detach out."
        )


def _detach(settings: Settings) -> None:
    from remora.wiring.cluster import connect

    _check_cluster(settings)
    connect(settings)
    from remora.release.rollout import controller_actor
    from remora.release.rollout.preflight import preflight

    controller_actor.start(settings, preflight)
    console.print(f"The actor {controller_actor.name_of(settings)} carries it out; `remora rollout status` shows it.")


def _carry_out(settings: Settings) -> None:
    """In the foreground, drawn on a terminal, a line a change elsewhere; exit code 1 when it was rolled back."""
    from remora.release.rollout.state import Status

    try:
        ended = _drawn(settings) if console.is_terminal else _in_lines(settings)
    except KeyboardInterrupt:
        console.print(
            "The rollout and its share stay as they are, and no process watches it. `remora rollout resume` continues, "
            "`remora rollout abort` rolls it back."
        )
        raise typer.Exit(UNFINISHED) from None
    console.print(f"Rollout {ended.id}: {ended.status}")
    if ended.status is not Status.DONE:
        for entry in ended.journal[-2:]:
            for reason in entry.why:
                console.print(f"  {reason}")
        raise typer.Exit(1)


def _drawn(settings: Settings) -> Rollout:
    from remora.release.rollout.controller import utc_now
    from remora.release.rollout.rendering import drawn

    with Live(console=console, auto_refresh=False) as screen:

        def on_progress(what: Rollout | str) -> None:
            screen.update(Text(printable(what)) if isinstance(what, str) else drawn(what, utc_now()), refresh=True)

        return _controller(settings).run(rest=time.sleep, on_progress=on_progress)


def _in_lines(settings: Settings) -> Rollout:
    from remora.release.rollout.controller import utc_now
    from remora.release.rollout.rendering import line

    entries = 0

    def on_progress(what: Rollout | str) -> None:
        nonlocal entries
        if isinstance(what, str):
            console.print(what)
        elif len(what.journal) != entries:
            entries = len(what.journal)
            console.print(line(what, utc_now()))

    return _controller(settings).run(rest=time.sleep, on_progress=on_progress)
