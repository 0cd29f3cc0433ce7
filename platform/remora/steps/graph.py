"""Steps that belong together: each name once, each read step before its reader, and no step that waits for itself."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

from remora.steps.step import Step


def checked(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps as they are; ValueError says what is wrong with them as one graph, and what to do."""
    names = [step.name for step in steps]
    for what, found in (("name", names), ("artifact", [step.artifact for step in steps if step.artifact])):
        if twice := [one for place, one in enumerate(found) if one in found[:place]]:
            raise ValueError(f"Two steps have the {what} '{twice[0]}'. Give one of them another.")
    try:
        TopologicalSorter({step.name: [read.name for read in step.reads] for step in steps}).prepare()
    except CycleError as error:
        circle = "' reads '".join(reversed(error.args[1]))
        raise ValueError(
            f"The steps wait for each other: '{circle}'. Take one out of the `reads` of another."
        ) from error
    for place, step in enumerate(steps):
        for read in step.reads:
            if read.name not in names:
                raise ValueError(
                    f"Step '{step.name}' reads what '{read.name}' makes, which is no step of these: "
                    f"{', '.join(names)}. Add it before '{step.name}'."
                )
            if not read.artifact:
                raise ValueError(f"Step '{step.name}' reads '{read.name}', which makes no artifact. Give it one.")
            if read.name not in names[:place]:
                raise ValueError(f"Step '{step.name}' reads '{read.name}', which comes after it. Put it before.")
    return tuple(steps)
