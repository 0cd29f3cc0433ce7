"""Packages as pip leaves them: modules beside a ``.dist-info`` with entry points, in a folder on the path."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.project.wheel import pip

from remora.extensions import registry

PLUGIN = Path(__file__).parents[1] / "plugin_package"
"""A package that adds components to Remora, as docs/how-to/write_a_package.md describes it."""

PLUGIN_NAME, PLUGIN_VERSION = "remora-example-plugin", "0.1.0"


def install_plugin(folder: Path) -> Path:
    """Build it in a copy, without network, and install it into ``folder / "site"``, which is the answer."""
    source = shutil.copytree(PLUGIN, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    pip("install", "--no-build-isolation", "--no-compile", "--target", str(folder / "site"), str(source))
    return folder / "site"


def install(
    folder: Path,
    name: str,
    *,
    version: str = "1.0",
    modules: Mapping[str, str],
    groups: Mapping[str, Mapping[str, str]],
) -> None:
    """Put a package there; ``groups`` has the entry points, name -> ``module:Class``, by group."""
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(textwrap.dedent(text))
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n")
    lines = [f"[{group}]\n" + "".join(f"{n} = {v}\n" for n, v in points.items()) for group, points in groups.items()]
    (info / "entry_points.txt").write_text("\n".join(lines))
    (info / "top_level.txt").write_text("".join(f"{module}\n" for module in modules))
    (info / "RECORD").write_text("".join(f"{module}.py,,\n" for module in modules))


@contextmanager
def on_the_path(folder: Path) -> Iterator[Path]:
    """Packages of the folder are found within, and forgotten after: the registry remembers what it has found."""

    def forget() -> None:
        for cached in (registry.find, registry._installed, registry._packages):
            cached.cache_clear()

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        forget()
        yield folder
    forget()
