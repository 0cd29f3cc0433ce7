"""The kinds of components there are, each with its group of entry points."""

from __future__ import annotations

from remora.extensions.component import Kind

METRIC = Kind("metric", "remora.metrics", ("at", "of"))

LINEAR_MODEL = Kind("linear model", "remora.linear_models", ("learn", "step_decay"))

KINDS = (METRIC, LINEAR_MODEL)
