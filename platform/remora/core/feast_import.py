"""Import Feast without the folder and the variables that its metrics module makes, and without PyTorch.

``feast.metrics`` is for Feast's own server under Gunicorn, which Remora does not run. On import it makes a folder in
the temporary directory and puts it into the environment, which every child inherits; a child that starts after the
folder is gone cannot import Feast any more.

``feast.torch_wrapper`` imports PyTorch, which takes more than a second; of what it is for, ``to_tensor``, Remora calls
nothing.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

VARIABLES = ("PROMETHEUS_MULTIPROCESS_DIR", "PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")
"""Feast reads and sets the first, and sets the second, which Prometheus' client reads; the third is its old name."""


def prepare_feast_import() -> None:
    """From now on this process imports Feast so that it leaves nothing behind, and PyTorch when Feast asks for it."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        # Feast does both when a module is imported, before any code of ours could stop it.
        sys.meta_path.insert(0, _Finder())


def cleared(environment: MutableMapping[str, str]) -> None:
    """Take the variables out of an environment: Remora counts with Ray's metrics, which need no folder."""
    for name in VARIABLES:
        environment.pop(name, None)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in LOADERS else None
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = LOADERS[fullname](spec.loader.name, spec.loader.path)
        return spec


class _MetricsLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        with _kept(os.environ):
            import prometheus_client  # noqa: F401  - without the variables it decides to count in memory

            os.environ[VARIABLES[0]] = os.devnull  # Feast makes a folder only where none is named
            super().exec_module(module)


class _TorchLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        vars(module)["get_torch"] = partial(importlib.import_module, "torch")


LOADERS: dict[str, type[SourceFileLoader]] = {"feast.metrics": _MetricsLoader, "feast.torch_wrapper": _TorchLoader}


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
