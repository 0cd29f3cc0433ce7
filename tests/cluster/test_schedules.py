"""Schedules of a run: every command in them is one that Remora understands, and cron's is carried out as cron would."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

ROOT = Path(__file__).parents[2]
SCHEDULES = ROOT / "deploy/schedules"

RAY_JOB = {
    "activeDeadlineSeconds",
    "backoffLimit",
    "entrypoint",
    "entrypointNumCpus",
    "rayClusterSpec",
    "shutdownAfterJobFinishes",
    "ttlSecondsAfterFinished",
}
"""Fields of RayJobSpec in KubeRay 1.7 that are used; the whole manifests were validated against its definitions."""


@dataclass(frozen=True)
class CronLine:
    """One line of a crontab, and the settings above it."""

    fields: tuple[str, ...]
    command: str
    environment: dict[str, str]


def crontab() -> list[CronLine]:
    found, environment = [], dict[str, str]()
    for line in (SCHEDULES / "crontab").read_text().splitlines():
        if match := re.fullmatch(r"([A-Z_]+)=(\S+)", line):
            environment[match[1]] = match[2]
        elif line and not line.startswith("#"):
            *fields, command = line.split(maxsplit=5)
            found.append(CronLine(tuple(fields), command, dict(environment)))
    return found


def manifests(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((SCHEDULES / name).read_text()))


def ray_jobs() -> dict[str, dict[str, Any]]:
    (job,), (cron, _) = manifests("rayjob.yaml"), manifests("raycronjob.yaml")
    return {"rayjob": job["spec"], "raycronjob": cron["spec"]["jobTemplate"]}


def bash_commands() -> dict[str, str]:
    """Commands of the DAG's operators; what they put in is written as NAME."""
    found = {}
    for call in ast.walk(ast.parse((SCHEDULES / "airflow_dag.py").read_text())):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "BashOperator":
            given = {k.arg: k.value for k in call.keywords}
            command = given["bash_command"]
            assert isinstance(command, ast.JoinedStr)
            parts = [part.value if isinstance(part, ast.Constant) else "NAME" for part in command.values]
            found[ast.literal_eval(given["task_id"])] = "".join(map(str, parts))
    return found


def understood(words: list[str]) -> dict[str, Any]:
    """What Remora's own parser makes of a command line, which is not carried out."""
    from remora.cli.main import app

    command: Any = typer.main.get_command(app)
    context = command.make_context("remora", list(words))
    _, chosen, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    return chosen.make_context(chosen.name, rest, parent=context).params


def remora_words(command: str) -> list[str]:
    """The words after `remora`, up to where the shell takes over."""
    words = shlex.split(command, comments=False)
    start = next(place for place, word in enumerate(words) if Path(word).name == "remora")
    after = words[start + 1 :]
    stop = next((place for place, word in enumerate(after) if word.startswith((">", "|", "&&"))), None)
    return after[:stop]


def commands() -> dict[str, str]:
    (_, check) = manifests("raycronjob.yaml")
    container = check["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    return {
        **{f"cron {line.fields[0]}": line.command for line in crontab()},
        **{f"airflow {task}": command for task, command in bash_commands().items()},
        "kubernetes check": shlex.join(container["command"]),
    }


@pytest.mark.parametrize(("where", "command"), commands().items())
def test_every_command_is_understood(where: str, command: str) -> None:
    given = understood(remora_words(command))
    assert given.get("check") or given.get("since") == "last", where


def test_a_command_that_remora_does_not_know_would_be_found() -> None:
    with pytest.raises(Exception, match="No such option: --sinse"):
        understood(remora_words("remora run --sinse last"))


def test_there_is_a_run_and_a_check_of_each_kind() -> None:
    assert sorted("check" if "--check" in command else "run" for command in commands().values()) == [
        *["check"] * 3,
        *["run"] * 2,
    ]


class TestCron:
    @pytest.fixture
    def environment(self, tmp_path: Path) -> dict[str, str]:
        """As the crontab has it, with a checkout, a configuration and logs of this test."""
        binary = tmp_path / ".venv/bin/remora"
        binary.parent.mkdir(parents=True)
        binary.write_text(f'#!/bin/sh\nexec {sys.executable} -m remora.cli.main "$@"\n')
        binary.chmod(0o755)
        source = {"path": "absent.csv", "format": "csv", "event_type": "like"}
        columns = {"user_id": "u", "item_id": "i", "event_timestamp": "t"}
        data = {"events": [source | {"columns": columns}], "event_types": {"like": {}}}
        config = tmp_path / "mine.yaml"
        config.write_text(yaml.safe_dump({"name": "mine", "home": str(tmp_path / "home"), "data": data}))
        (tmp_path / "logs").mkdir()
        here = {"REMORA": str(tmp_path), "REMORA_CONFIG": str(config), "LOGS": str(tmp_path / "logs")}
        assert crontab()[0].environment.keys() - {"SHELL"} == here.keys()
        path = os.pathsep.join([str(ROOT / "platform"), str(ROOT)])
        return {"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "HOME": str(tmp_path), "RAY_AUTH_MODE": "disabled"} | here

    def carried_out(self, line: CronLine, environment: dict[str, str]) -> int:
        return subprocess.run([line.environment["SHELL"], "-c", line.command], env=environment, check=False).returncode

    def test_lines_have_five_fields_and_no_percent_sign_which_cron_reads_as_a_new_line(self) -> None:
        for line in crontab():
            assert all(re.fullmatch(r"\*|\d+", field) for field in line.fields)
            assert "%" not in line.command

    @pytest.mark.slow
    def test_the_run_writes_its_log_and_its_record(self, environment: dict[str, str], tmp_path: Path) -> None:
        run = next(line for line in crontab() if " run " in line.command)
        assert self.carried_out(run, environment) == 3  # the data is wrong: no such file
        assert "No file or directory" in (tmp_path / "logs/run.log").read_text()
        (record,) = [json.loads(file.read_text()) for file in (tmp_path / "home/runs").glob("*.json")]
        assert (record["by"], record["since"], record["outcome"], record["step"]) == (
            "cron",
            "last",
            "failed",
            "ingest",
        )

    def test_the_run_gives_way_to_one_that_holds_the_lock(self, environment: dict[str, str], tmp_path: Path) -> None:
        run = next(line for line in crontab() if " run " in line.command)
        with subprocess.Popen(["flock", str(tmp_path / "logs/run.lock"), "cat"], stdin=subprocess.PIPE) as holder:
            while subprocess.run(["flock", "-n", str(tmp_path / "logs/run.lock"), "true"], check=False).returncode == 0:
                pass
            assert self.carried_out(run, environment) == 75
            holder.communicate()
        assert not (tmp_path / "home").exists()

    def test_the_check_of_a_home_without_a_run_fails_with_an_alert(
        self, environment: dict[str, str], tmp_path: Path
    ) -> None:
        check = next(line for line in crontab() if "--check" in line.command)
        assert self.carried_out(check, environment) == 1
        assert "No run has succeeded within 26 hours" in (tmp_path / "logs/check.log").read_text()


@functools.cache
def said(*words: str) -> str:
    """What a Python script with its arguments says on stderr."""
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize(("name", "spec"), ray_jobs().items())
class TestARayJob:
    def test_has_only_fields_that_kuberay_knows(self, name: str, spec: dict[str, Any]) -> None:
        assert spec.keys() == RAY_JOB

    def test_runs_a_job_of_the_image_that_looks_for_what_is_new(self, name: str, spec: dict[str, Any]) -> None:
        python, script, config, *options = shlex.split(spec["entrypoint"])
        assert python == "python"
        assert (ROOT / script).is_file()
        assert (ROOT / config).is_file()
        assert "There is no settings file 'absent.yaml'" in said(script, "absent.yaml", *options)
        assert options[:2] == ["--since", "last"]

    def test_has_a_cluster_like_that_of_trainings(self, name: str, spec: dict[str, Any]) -> None:
        training = yaml.safe_load((ROOT / "deploy/kuberay/raycluster.yaml").read_text())["spec"]
        cluster = spec["rayClusterSpec"]
        assert {key: value for key, value in training.items() if key != "workerGroupSpecs"} == {
            key: value for key, value in cluster.items() if key != "workerGroupSpecs"
        }
        assert cluster["workerGroupSpecs"] == training["workerGroupSpecs"][:1]

    def test_ends_before_the_next_one_begins(self, name: str, spec: dict[str, Any]) -> None:
        assert spec["activeDeadlineSeconds"] + spec["ttlSecondsAfterFinished"] < 86_400
        assert spec["shutdownAfterJobFinishes"]


def test_the_ray_cron_job_has_only_fields_that_kuberay_knows() -> None:
    cron, check = manifests("raycronjob.yaml")
    assert (cron["apiVersion"], cron["kind"]) == ("ray.io/v1", "RayCronJob")
    assert cron["spec"].keys() == {"schedule", "timeZone", "jobTemplate"}
    assert (check["kind"], check["spec"]["concurrencyPolicy"]) == ("CronJob", "Forbid")
