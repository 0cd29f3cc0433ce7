"""`remora run`: the whole path, from tables to a bundle in production, and on to a running server."""

from __future__ import annotations

import getpass
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from remora.cli import data, evaluate, gate, gc, plan, recommend
from remora.cli.options import ConfigOption, JsonOption, SinceOption, console, emit, paper
from remora.cli.terminal import line, styled
from remora.core.errors import RemoraError
from remora.core.redaction import redacted
from remora.settings import Settings, activate, load

if TYPE_CHECKING:
    from remora.workflow.path import PathStep, StepResult
    from remora.workflow.plan import RunPlan
    from remora.workflow.run_recorder import RunRecorder

ASKED, LIKED = 5, 2


def run(
    config: ConfigOption = None,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the bundle when it is in production.")] = False,
    show: Annotated[
        bool,
        typer.Option(
            "--show", help="With --serve: draw slates of three users, and how one follows what its user does."
        ),
    ] = False,
    since: SinceOption = None,
    by: Annotated[str, typer.Option(help="For the record; default: who is logged in.")] = "",
    as_json: JsonOption = False,
) -> None:
    """The whole path: get, ingest, report, features, Feast, training, evaluation, bundle, gates, promotion, serving.

    First it prints the plan, as `remora plan` does. A step whose inputs have not changed is skipped and its cached
    result reused: the second run takes seconds, and a run that was interrupted continues where it stopped.

    With --since last: for a schedule. Only new files are read, the run ends where retraining.on_success says, and at
    once when nothing is new; a failure is an alert. `remora runs` lists what became of runs.
    """
    from remora.workflow.run_recorder import recorded_run

    settings = load(config)
    activate(settings)
    ended = []
    with recorded_run(settings, by=by or getpass.getuser(), since=since) as record:
        planned = _plan(settings, since_last=since is not None)
        _connect(settings, serve=serve)
        for done in _steps(settings, record, since_last=since is not None):
            ended.append(done)
            _say(done, draw=not as_json and not record.nothing_new)
        removed = _retain(settings)
    value: dict[str, Any] = {
        "home": redacted(settings.home),
        "run": record.record.id,
        "nothing_new": record.nothing_new,
        "plan": planned.as_json(),
        "steps": [{"name": d.step.name, "seconds": round(d.seconds, 2), "unchanged": d.unchanged} for d in ended],
        "removed": removed,
    }
    if serve:
        value |= _serve(settings, show=show and not as_json)
    emit(value, as_json, lambda out: _times(out, ended))
    if serve and not as_json:
        _addresses(paper(), value)


def _plan(settings: Settings, *, since_last: bool) -> RunPlan:
    """What is about to run, shown to people."""
    from remora.workflow.plan import plan as planned

    found = planned(settings, since_last=since_last)
    plan.render(console, found)
    return found


def _retain(settings: Settings) -> dict[str, int]:
    """Apply the settings' retention. What was made stands, whether or not what is old can be removed."""
    if not settings.retention.automatic:
        return {}
    try:
        collected = gc.collect(settings, delete=True)
    except (RemoraError, OSError) as error:
        console.print(line("Nothing old was removed: ", str(error)))
        return {}
    if collected.garbage:
        kinds = Counter(one.kind for one in collected.garbage)
        what = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        console.print(line(f"  removed by `retention`: {what}; {collected.freed_bytes / 1e6:,.1f} MB freed"))
    return {"count": len(collected.garbage), "freed_bytes": collected.freed_bytes}


def _connect(settings: Settings, *, serve: bool) -> None:
    from remora.wiring import cluster

    if serve and settings.cluster.address is None:
        with console.status("starting the Ray cluster"):
            cluster.start_head(settings)
    cluster.connect(settings)


def _steps(settings: Settings, record: RunRecorder, *, since_last: bool) -> Iterator[StepResult]:
    """The steps as they end, told to people and to the record."""
    from remora.workflow import path

    def begun(step: PathStep) -> None:
        console.print(line(styled(step.name, "bold"), f"  {step.command}"))
        record.begun(step)

    return record.through(path.run(settings, since_last=since_last, begun=begun))


def _say(done: StepResult, *, draw: bool) -> None:
    """One line when a step ends, and what the report and the evaluation found."""
    how = "unchanged" if done.unchanged else f"{done.seconds:.1f} s"
    console.print(line("  ", styled("done", "green"), f" {how}"))
    if draw and done.step.name == "quality report":
        data.render(paper(), done.result)
    if draw and done.step.name == "evaluate":
        from remora.workflow.evaluation import read_evaluation

        evaluate.render(paper(), read_evaluation(done.result), done.result)
    if draw and done.step.name == "gates":
        gate.render(paper(), done.result)


def _serve(settings: Settings, *, show: bool) -> dict[str, Any]:
    from remora.serving import deploy
    from remora.wiring.mlflow_ui import start_mlflow

    mlflow = start_mlflow(settings)
    with console.status("serving") as spinner:
        endpoint = deploy.start(settings, redeploy=False, on_progress=spinner.update)
    if show:
        _three_users(settings)
        _reaction(settings)
    return endpoint.model_dump() | {"mlflow": mlflow}


def _three_users(settings: Settings) -> None:
    """Slates for the user with most events, for one with few, and for one that does not exist."""
    from remora.serving.client import ask
    from remora.serving.deploy import url_of
    from remora.serving.schemas import RecommendRequest

    heavy, light = _extremes(settings)
    out = paper()
    for user, who in ((heavy, "a heavy user"), (light, "a light user"), ("no-such-user", "an unknown user")):
        out.rule(styled(f"{who}: remora recommend {user}", "none"))
        recommend.render(out, user, ask(url_of(settings), RecommendRequest(user_id=user, n=ASKED)))


def _reaction(settings: Settings) -> None:
    """What a light user does now, and the slate before and after it; once, for what is sent is data of the home."""
    from remora.core.home import Home
    from remora.events.from_settings import live_users_of
    from remora.ingest.sent_events import FOLDER
    from remora.serving.deploy import url_of
    from remora.serving.reaction import react

    if not live_users_of(settings) or Home(settings.home).files(FOLDER):
        return
    out, user = paper(), _extremes(settings)[1]
    found = react(url_of(settings), user, event_type=settings.data.positive_types[0], events=LIKED, n=ASKED)
    out.rule(styled(f"user {user} sends {found.event_type} of {' and '.join(found.sent)}", "none"))
    recommend.render(out, user, found.after)
    if found.milliseconds is None:
        out.print(line("The slate has not changed yet: see `remora serve status`."))
    else:
        out.print(line(f"The slate changed {found.milliseconds:.0f} ms after the events were acknowledged."))
    out.print(line("They are in the home's log: the next `remora run` learns from them."))


def _extremes(settings: Settings) -> tuple[str, str]:
    """The users with most and with fewest items in their history; equals by id."""
    import pyarrow.compute as pc

    from remora.core.home import Home
    from remora.features.tables import FeatureTables

    table = FeatureTables.open(Home(settings.home)).read("user_history", ["user_id", "seen"])
    table = table.append_column("events", pc.list_value_length(table["seen"]))
    table = table.filter(pc.field("events") > 0).sort_by([("events", "descending"), ("user_id", "ascending")])
    users = table["user_id"].to_pylist()
    return users[0], users[-1]


def _times(out: Console, ended: list[StepResult]) -> None:
    table = Table(title="Steps", title_justify="left")
    table.add_column("step")
    table.add_column("seconds", justify="right")
    table.add_column("")
    for done in ended:
        table.add_row(done.step.name, f"{done.seconds:.1f}", "unchanged" if done.unchanged else "")
    table.add_row("all", f"{sum(d.seconds for d in ended):.1f}", "")
    out.print(table)


def _addresses(out: Console, value: dict[str, Any]) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("endpoint", f"{value['url']}/v1/recommend")
    table.add_row("API docs", value["docs"])
    table.add_row("Ray dashboard", value["dashboard"] or "that of the cluster")
    table.add_row("MLflow (read-only)", value["mlflow"])
    table.add_row("ask", f"curl {value['url']}/v1/recommend/USER")
    table.add_row("end", "remora serve stop")
    out.print(table)
