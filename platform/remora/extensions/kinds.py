"""The kinds of components there are, each with its group of entry points."""

from __future__ import annotations

from remora.extensions.component import Kind

METRIC = Kind("metric", "remora.metrics", ("at", "of"))

KINDS = (METRIC,)
