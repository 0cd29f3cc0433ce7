"""Declared steps: what each reads, which settings its result depends on, and what follows from that."""

from remora.steps.build import Build, builds
from remora.steps.provenance import Provenance
from remora.steps.step import Step

__all__ = ["Build", "Provenance", "Step", "builds"]
