"""Names are the field's: a class name occurs once, is no participle, and no name has a word of the private language."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "platform" / "remora"
GENERATED = "_pb2"

IRREGULAR = (
    "Born|Bound|Built|Chosen|Cut|Done|Drawn|Found|Given|Held|Kept|Known|Made|Said|Seen|Sent|Shown|Taken|Told|Written"
)
PARTICIPLE = re.compile(rf"_?(?:[A-Z][a-z]+ed|{IRREGULAR})")

ALLOWED = {"Refused", "Retrieved"}
"""An error's name says what happened; `Retrieved` is the literature's word for what a source answers."""

OF_A_COMPONENT = "Config"
"""A component's settings, within its class: `Ease.Config`."""

PRIVATE = re.compile(
    r"(?<![a-z])(?:anew|ballots?|by_heart|came_of|census|dealt|desks?|errands|everybody|for_good|foret(?:ell?s?|old)|go(?:es)?_on|"
    r"in_force|last_resort|look_up|nobody|pair_tower|rehears(?:als?|e|ed)|sequence_tower|shelving|somebody|take_back|"
    r"taken_back|unproved|wish(?:es)?)(?![a-z])"
)


def test_a_class_name_occurs_once_in_the_package() -> None:
    where = defaultdict(list)
    for file, node in definitions(PACKAGE):
        if isinstance(node, ast.ClassDef) and node.name != OF_A_COMPONENT:
            where[node.name].append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert len(where) > 300
    assert {name: places for name, places in where.items() if len(places) > 1} == {}


def test_a_class_is_a_noun() -> None:
    classes = {node.name for _, node in definitions(PACKAGE) if isinstance(node, ast.ClassDef)}
    assert sorted(name for name in classes - ALLOWED if PARTICIPLE.fullmatch(name)) == []


def test_no_class_function_or_test_is_named_by_a_private_word() -> None:
    named = [(file, node.name) for folder in (PACKAGE, ROOT / "tests") for file, node in definitions(folder)]
    assert len(named) > 3_000
    assert [f"{file.relative_to(ROOT)}: {name}" for file, name in named if PRIVATE.search(name.lower())] == []


def definitions(folder: Path) -> Iterator[tuple[Path, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every class and function that is defined below a folder, but for generated code."""
    for file in sorted(folder.rglob("*.py")):
        if GENERATED not in file.name:
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    yield file, node
