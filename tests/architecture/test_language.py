"""Prose, messages, help texts and docstrings are plain English in the field's own words."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
READ = ("platform/remora", "jobs", "serve_apps", "feature_repo", "benchmarks", "deploy", "docs", "config", "README.md")
KINDS = {".py", ".md", ".yml", ".yaml", ".j2"}
GENERATED = ("_pb2", "docs/upstream/")

INSTEAD = {
    r"[Ff]oret(?:ell?s?|old)": "predict",
    r"is told|are told|told of": "is reported, is logged, is called with",
    r"go(?:es)? on\b": "continue",
    r"(?:[Nn]o|[Ee]very|[Ss]ome)body\b": "no user, all users, an operator",
    r"anew|afresh": "again, from scratch",
    r"(?:is|are) none\b": "does not exist, is None",
    r"in force": "active",
    r"take[ns]? back": "roll back",
    r"may die": "may crash",
    r"what came of": "the result of",
    r"by heart|for good\b": "permanently",
}


def test_words_of_no_textbook_are_not_used() -> None:
    found = []
    for file in files():
        for number, line in enumerate(file.read_text().splitlines(), 1):
            for pattern, instead in INSTEAD.items():
                if match := re.search(rf"\b(?:{pattern})", line):
                    found.append(f"{file.relative_to(ROOT)}:{number}: '{match[0]}': write {instead}")
    assert not found, "\n".join(found)


def test_the_test_reads_what_it_should() -> None:
    read = {str(file.relative_to(ROOT)) for file in files()}
    assert len(read) > 400
    assert {"README.md", "docs/how-to/serve.md", "platform/remora/serving/recommender.py"} <= read


def files() -> list[Path]:
    """All that is read by people."""
    found = [ROOT / name for name in READ if (ROOT / name).is_file()]
    found += [file for name in READ for file in (ROOT / name).rglob("*") if file.suffix in KINDS]
    return [file for file in found if not any(part in str(file) for part in GENERATED)]
