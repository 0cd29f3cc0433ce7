"""The one way in which a step's result is found or made: by its fingerprint, in staging, committed whole."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Concatenate, ParamSpec

from remora.core.artifacts import Artifact
from remora.core.home import Home
from remora.settings import Settings
from remora.settings.one_writer import one_writer
from remora.steps.provenance import KEY, Provenance, inputs_of
from remora.steps.step import Step

P = ParamSpec("P")

Report = dict[str, Any]
"""What a step adds to the metadata of the version that it has made."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """A version while it is made.

    ``settings`` are those that the step may read, ``inputs`` the artifacts that it reads, by name.
    """

    step: Step
    home: Home
    settings: Settings
    inputs: Mapping[str, Artifact]
    provenance: Provenance
    after: list[Callable[[], None]] = field(default_factory=list)

    @property
    def version(self) -> str:
        """What it will be called."""
        return self.provenance.version

    @cached_property
    def staging(self) -> Artifact:
        """The folder that the step writes into; made when it is first asked for, so late, once there is something."""
        return self.step.artifacts(self.home).staging(self.version)

    def once_committed(self, action: Callable[[], None]) -> None:
        """Call ``action`` when the version is there: to remove what an interrupted step would have continued with."""
        self.after.append(action)


def builds(
    step: Step,
    *,
    first: Callable[[Settings], Any] = lambda settings: None,
    holds: Callable[[Home, Artifact], bool] = lambda home, artifact: True,
) -> Callable[[Callable[Concatenate[Build, P], Report]], Callable[Concatenate[Settings, P], Artifact]]:
    """Makes a function that writes into a :class:`Build` the step itself: settings in, artifact out.

    A version that is there, of the same settings, inputs and code, becomes the current one again and is returned,
    unless ``holds`` denies that it can still be used. ``first`` makes an input that no other command makes. The step is
    the only writer of its home meanwhile.
    """

    def decorated(make: Callable[Concatenate[Build, P], Report]) -> Callable[Concatenate[Settings, P], Artifact]:
        @functools.wraps(make)
        def found_or_made(settings: Settings, /, *args: P.args, **kwargs: P.kwargs) -> Artifact:
            with one_writer(settings, step.command):
                first(settings)
                home = Home(settings.home)
                artifacts, inputs = step.artifacts(home), step.inputs(home)
                provenance = step.provenance(settings, inputs_of(inputs))
                done = artifacts.select(provenance.version, lambda artifact: holds(home, artifact))
                if done is not None:
                    return done
                build = Build(step=step, home=home, settings=step.view(settings), inputs=inputs, provenance=provenance)
                report = make(build, *args, **kwargs)
                # The inputs by name too: retention keeps what a version names.
                named = {KEY: provenance.as_json(), **provenance.inputs, **report}
                committed = artifacts.commit(build.staging, **named)
                for action in build.after:
                    action()
                return committed

        return found_or_made

    return decorated
