"""What the pages name exists: commands with their options, settings, files and headings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel, RootModel
from tests.docs.pages import ROOT, blocks, pages, without_blocks
from typer.main import get_command

from remora.cli.main import app
from remora.extensions import ComponentChoice
from remora.settings import Settings

TOP: Any = get_command(app)
IDS = {"ids": lambda page: str(page.relative_to(ROOT))}
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


def commands(page: Path) -> Iterator[str]:
    """Command lines of `remora`, in prose and in blocks."""
    yield from re.findall(r"`(remora [a-z][^`]*)`", without_blocks(page))
    for language in ("console", "bash", "text", ""):
        for block in blocks(page, language):
            yield from re.findall(r"^(?:\$ )?(remora [a-z][^#\n]*)", block, re.MULTILINE)


def wrong(line: str) -> str | None:
    """What no command of Remora has."""
    command, words = TOP, shlex.split(line.split(" | ")[0].replace("…", "").replace("'", ""))[1:]
    while words and (below := getattr(command, "commands", None)):
        word = words.pop(0).rstrip(",.;")
        if word.startswith("-"):
            words.insert(0, word)
            break
        if word not in below:
            return f"no command {word!r}"
        command = below[word]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    return next((f"no option {word}" for word in words if word.startswith("-") and word not in known), None)


@pytest.mark.parametrize("page", [page for page in pages() if page.name != "cli.md"], **IDS)  # that one is generated
def test_each_command_of_a_page_exists(page: Path) -> None:
    assert [(line, wrong(line)) for line in commands(page) if wrong(line)] == []


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The section that a field holds, by itself or in a list or a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := model_of(part))), None)


def unknown(name: str) -> bool:
    """Is there no such setting? `section.field`, also below a name of the user's own."""
    model: type[BaseModel] | None = Settings
    for word in name.split("."):
        if model is None or issubclass(model, ComponentChoice):
            return False  # a component's settings are its own
        if issubclass(model, RootModel):
            model = model_of(model.model_fields["root"].annotation)
        elif word in model.model_fields:
            model = model_of(model.model_fields[word].annotation)
        elif model.__name__ not in ("ObjectiveSettings", "EventTypeSettings"):
            return True
    return False


@pytest.mark.parametrize("page", [page for page in pages() if "decisions" not in page.parts], **IDS)
def test_each_setting_that_a_page_names_exists(page: Path) -> None:
    sections = "|".join(Settings.model_fields)
    named = re.findall(
        rf"`((?!cluster\.yaml|events\.(?:parquet|json))(?:{sections})(?:\.[a-z_0-9]+)+)(?::[^`]*)?`",
        without_blocks(page),
    )
    assert [name for name in named if unknown(name)] == []


@pytest.mark.parametrize("page", pages(), **IDS)
def test_each_block_of_settings_has_fields_that_exist(page: Path) -> None:
    for block in blocks(page, "yaml"):
        written = yaml.safe_load(block)
        if not isinstance(written, dict) or not written.keys() <= Settings.model_fields.keys():
            continue
        assert [name for name in dotted(written) if unknown(name)] == []
        if {"name", "data"} <= written.keys():
            Settings(**written)


def dotted(written: dict[str, Any], path: str = "") -> Iterator[str]:
    """The names of the fields of a block, as far as their models say."""
    for name, value in written.items():
        whole = f"{path}{name}"
        yield whole
        model = field(whole)
        if isinstance(value, dict) and model is not None:
            yield from dotted(value, f"{whole}.")


def field(name: str) -> type[BaseModel] | None:
    """The model of a section; None for one whose names the user chooses."""
    model: type[BaseModel] | None = Settings
    for word in name.split("."):
        if model is not None and issubclass(model, RootModel):
            model = model_of(model.model_fields["root"].annotation)
            continue
        if model is None or word not in model.model_fields:
            return None
        annotation = model.model_fields[word].annotation
        model = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    return model


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.*)$", without_blocks(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), **IDS)
def test_each_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(without_blocks(page)):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_front_page_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
