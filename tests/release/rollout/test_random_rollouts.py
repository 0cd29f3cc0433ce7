"""Whatever happens in whatever order: what must hold of every rollout at every moment."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.release.rollout.conftest import settings_at
from tests.release.rollout.driving import LOOK_SECONDS, asked, begun, controller, current
from tests.release.rollout.test_controller_dies import Killed, killed_before
from tests.release.rollout.world import Nature, World

from remora.control.traffic import Traffic
from remora.release.rollout.commands import Action
from remora.release.rollout.plan import Plan
from remora.release.rollout.state import Status

PLANS = ("full", "canary:5%:4s,full", "shadow:4s,canary:5%:4s,ramp:25%:4s,ramp:50%:4s,full")
NATURES = (
    Nature(),
    Nature(failed=0.6),
    Nature(deadline_exceeded=0.6),
    Nature(refuses=True),
    Nature(loads_in=1e6),
    Nature(overlap=0.0),
)


class Rollouts(RuleBasedStateMachine):
    """Time passes, bundles change their nature, people ask, controllers die."""

    @initialize(plan=st.sampled_from(PLANS), seed=st.integers(0, 99))
    def begin(self, plan: str, seed: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.world = World(settings_at(self.folder), seed=seed)
        begun(self.world, plan)
        self.steps = Plan.parse(plan).steps
        self.controller, self.left, self.journal = controller(self.world), False, current(self.world).journal
        self.share = 0.0

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    @rule(looks=st.integers(1, 12))
    def time_passes(self, looks: int) -> None:
        for _ in range(looks):
            self.world.pass_by(LOOK_SECONDS)
            self.controller.look()
            self.everything_holds()

    @rule(action=st.integers(1, 6))
    def a_controller_dies(self, action: int) -> None:
        with killed_before(action):
            try:
                self.controller.look()
            except Killed:
                self.controller = controller(self.world)

    @rule(nature=st.sampled_from(NATURES))
    def the_bundle_changes(self, nature: Nature) -> None:
        self.world.natures[self.world.candidate] = nature

    @rule(what=st.sampled_from([*[Action.PAUSE] * 3, *[Action.RESUME] * 5, Action.ABORT]))
    def an_operator_asks(self, what: Action) -> None:
        asked(self.world, what)

    @precondition(lambda self: len(self.world.replicas) > 1)
    @rule()
    def a_replica_dies(self) -> None:
        self.world.replicas.pop()

    @invariant()
    def everything_holds(self) -> None:
        world, rollout, traffic = self.world, current(self.world), self.world.traffic
        share = traffic.canary.share if traffic.canary else float(traffic.production == world.candidate)
        assert share in {0.0, *(step.share for step in self.steps)}
        if self.left:
            assert share <= self.share  # after harm, or an abort, nobody is added
        if rollout.status is Status.PAUSED:
            assert share == self.share  # in the look that processed of it as well
        if traffic.production != world.production:
            assert traffic.production == world.candidate
            assert rollout.is_full
        assert rollout.journal[: len(self.journal)] == self.journal  # nothing is struck out
        self._ended_well(rollout.status, traffic)
        self.left |= rollout.status in (Status.ROLLING_BACK, Status.ROLLED_BACK, Status.ABORTED)
        self.share, self.journal = share, rollout.journal

    def _ended_well(self, status: Status, traffic: Traffic) -> None:
        one, other = self.world.production, self.world.candidate
        if status in (Status.ROLLED_BACK, Status.ABORTED):
            assert traffic.model_copy(update={"revision": 0}) == Traffic(production=one)
            assert status in [entry.what for entry in current(self.world).journal]  # a command may be noted after it
        if status is Status.DONE:
            assert traffic.model_copy(update={"revision": 0}) == Traffic(production=other, previous=one)
            entered = [e for e in current(self.world).journal if e.what in ("advanced", "done")]
            assert [e.stage for e in entered] == ["preflight", "load", *map(str, self.steps)]


TestRollouts = Rollouts.TestCase
TestRollouts.settings = profile(max_examples=100, stateful_step_count=20, deadline=None)
