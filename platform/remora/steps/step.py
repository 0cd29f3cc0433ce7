"""A declared step: what it reads, and the settings that its result depends on. Its fingerprint follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from remora.core.artifacts import Artifact, ArtifactStore
from remora.core.home import Home
from remora.settings import Settings
from remora.steps import setting_paths
from remora.steps.code import commit, packages
from remora.steps.provenance import Provenance, inputs_of

OPERATIONAL = ("name", "home", "tracking_uri", "registry", "cluster", "features.redis", "features.registry")
"""What every step may read, for it says where things are and who may change them, and nothing of what is made."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a path.

    ``command`` runs it alone. ``artifact`` names what it makes, in whose folder of the home the versions are; a step
    without one changes something elsewhere. ``reads`` are the steps whose artifacts it reads. ``settings`` are the
    paths of those that its result depends on (:mod:`remora.steps.setting_paths`). ``also_reads`` are others that it
    may read, on which no version depends: how often work is tried again, what only a report repeats. ``with_commit``:
    the result holds the commit of the code. ValueError for a setting that does not exist.
    """

    name: str
    command: str
    artifact: str = ""
    reads: tuple[Step, ...] = ()
    settings: tuple[str, ...] = ()
    also_reads: tuple[str, ...] = ()
    with_commit: bool = False

    def __post_init__(self) -> None:
        for path in (*self.settings, *self.also_reads):
            try:
                setting_paths.check(path)
            except ValueError as error:
                raise ValueError(f"Step '{self.name}' declares the setting {path}, but {error}.") from error

    def artifacts(self, home: Home) -> ArtifactStore:
        """Where versions of what it makes are kept."""
        return ArtifactStore(home, self.artifact, self.command)

    def inputs(self, home: Home) -> dict[str, Artifact]:
        """The current versions of what it reads, by artifact; NotBuilt names the command of one that is not there."""
        return {step.artifact: step.artifacts(home).current() for step in self.reads}

    def provenance(
        self, settings: Settings, inputs: Mapping[str, str], others: Mapping[str, str] | None = None
    ) -> Provenance:
        """What its result is made from: these settings, the code, and the versions of ``inputs``."""
        own = setting_paths.view(settings, self.settings) if self.settings else None
        return Provenance(
            settings=setting_paths.values(settings, self.settings) if self.settings else {},
            inputs=inputs,
            code=packages(own) | ({"commit": commit()} if self.with_commit else {}),
            others=others or {},
        )

    def current(self, settings: Settings) -> Provenance:
        """The same of the current versions of what it reads; NotBuilt where one is not there."""
        return self.provenance(settings, inputs_of(self.inputs(Home(settings.home))))

    def view(self, settings: Settings) -> Settings:
        """The settings that the step may read: its own, and those of the steps before it, on which its inputs depend.

        Reading another one is an UndeclaredSetting, in whatever process.
        """
        readable = {path for step in (self, *self.before()) for path in (*step.settings, *step.also_reads)}
        return setting_paths.view(settings, {*OPERATIONAL, *readable})

    def before(self) -> Iterator[Step]:
        """Every step that it depends on, the nearest first; some may come twice."""
        for step in self.reads:
            yield step
            yield from step.before()
