"""The tree of errors, with the exit code and the HTTP answer that each leads to."""

from __future__ import annotations

from collections.abc import Iterator

from docs.reference_pages.markdown import code, document, prose, table
from remora.cli.main import EXIT_CODES, INTERRUPTED, UNFORESEEN
from remora.core import errors
from remora.core.errors import NotReady, RemoraError
from remora.serving.problems import KINDS, REFUSALS, UNAVAILABLE

INTRODUCTION = """\
Every error that Remora raises on purpose belongs to one tree, and its branch says who must act. A message says what
happened, with which values, and what to do; it never shows a credential. Errors cross process borders whole, so a
step that fails on a cluster raises the same error as in one process. An error outside the tree is a bug of Remora
or of a library: the command prints one line, keeps the trace in a file, and ends with 70; the endpoint answers 500
and logs the trace."""


def page() -> str:
    """The page."""
    rows = [
        (
            "↳ " * depth + code(error.__name__),
            prose(error.__doc__).partition("\n")[0],
            _exit_code(error),
            _answer(error),
        )
        for depth, error in _tree(RemoraError)
    ]
    return document(
        "Errors and exit codes",
        "`remora.core.errors` and `remora.cli.main`",
        INTRODUCTION,
        "## Errors",
        table(("error", "meaning", "exit code", "HTTP answer"), rows),
        "An error with more arrows is a kind of the one above it with fewer. [Problem types](problem_types.md) has the "
        "answers over HTTP.",
        "## Exit codes",
        exit_codes(),
    )


def exit_codes() -> str:
    """The table of a command's exit codes."""
    rows = [("0", "done")]
    rows += sorted(
        (str(code_), prose(kind.__doc__).partition("\n")[0]) for kind, code_ in EXIT_CODES if kind != RemoraError
    )
    rows.insert(
        1, (str(EXIT_CODES[-1][1]), "Any other error of Remora's: the operation is refused, or the store failed.")
    )
    rows.append((str(UNFORESEEN), "An unforeseen error: a bug of Remora or of a library below it."))
    rows.append((str(INTERRUPTED), "Interrupted by Ctrl-C; the same command continues."))
    return table(("exit code", "meaning"), rows)


def _tree(error: type[RemoraError], depth: int = 0) -> Iterator[tuple[int, type[RemoraError]]]:
    """Those of the tree itself; a part of Remora may have kinds of its own below them."""
    yield depth, error
    for below in error.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from _tree(below, depth + 1)


def _exit_code(error: type[RemoraError]) -> str:
    return str(next(code_ for kind, code_ in EXIT_CODES if issubclass(error, kind)))


def _answer(error: type[RemoraError]) -> str:
    kind = next((kind for branch, kind in REFUSALS if issubclass(error, branch)), None)
    if issubclass(error, NotReady):
        kind = UNAVAILABLE
    return "" if kind is None else f"{KINDS[kind][0]} {code(kind)}"
