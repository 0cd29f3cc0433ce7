"""Import Feast without the folder and the environment variables that its metrics module makes when it is imported.

``feast.metrics`` is for Feast's own server under Gunicorn, which Remora does not run. On import it makes a folder in
the temporary directory and puts it into the environment, which every child inherits; a child that starts after the
folder is gone cannot import Feast any more.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

MODULE = "feast.metrics"

VARIABLES = ("PROMETHEUS_MULTIPROCESS_DIR", "PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")
"""Feast reads and sets the first, and sets the second, which Prometheus' client reads; the third is its old name."""


def without_folder() -> None:
    """From now on this process imports ``feast.metrics`` so that it leaves nothing behind."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        # Feast makes the folder when the module is imported, before any code of ours could stop it.
        sys.meta_path.insert(0, _Finder())


def cleared(environment: MutableMapping[str, str]) -> None:
    """Take the variables out of an environment: Remora counts with Ray's metrics, which need no folder."""
    for name in VARIABLES:
        environment.pop(name, None)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname == MODULE else None
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _FeastLoader(spec.loader.name, spec.loader.path)
        return spec


class _FeastLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        with _kept(os.environ):
            import prometheus_client  # noqa: F401  - without the variables it decides to count in memory

            os.environ[VARIABLES[0]] = os.devnull  # Feast makes a folder only where none is named
            super().exec_module(module)


@contextmanager
def _kept(environment: MutableMapping[str, str]) -> Iterator[None]:
    """Without the variables, and afterwards as it was."""
    before = {name: environment[name] for name in VARIABLES if name in environment}
    cleared(environment)
    try:
        yield
    finally:
        cleared(environment)
        environment.update(before)
