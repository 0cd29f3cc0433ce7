"""A run in a process that dies, in a module of its own: such a process starts without what the steps would import."""

from __future__ import annotations

import os

from remora.settings import Settings
from remora.steps.path import FEATURES, steps_of_run
from remora.workflow.run_recorder import recorded_run


def die_in_a_step(settings: Settings) -> None:
    """Announce the steps as the path does, until the features are built."""
    with recorded_run(settings, by="ann", since="last") as run:
        for step in steps_of_run(settings, since_last=True):
            run.begun(step)
            if step.name == FEATURES.name:
                os._exit(9)
