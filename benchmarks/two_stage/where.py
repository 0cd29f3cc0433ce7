"""Which settings a benchmark of a data set reads: a name, or a folder of tables in the data contract."""

from __future__ import annotations

import os
from pathlib import Path

from remora.core.errors import SettingsError
from remora.settings import Settings, load

CONFIG = Path("config")


def settings_of(data: str, config: Path | None, home: Path) -> Settings:
    """``data`` is a folder, whose settings are ``config``, its own config.yaml, or config/<its name>.yaml; or a name
    such as movielens-1m. A folder's parent is $REMORA_BENCH_DATA to its settings.

    SettingsError where none exist.
    """
    folder = Path(data)
    name = folder.name.replace("-", "_")
    tried = [path for path in (config, folder / "config.yaml", CONFIG / f"{name}.yaml") if path is not None]
    found = next((path for path in tried if path.is_file()), None)
    if found is None:
        raise SettingsError(
            f"There are no settings for {data}: none of {', '.join(map(str, tried))} exists. Give --config FILE; "
            f"docs/reference/data_tables.md says what is in one."
        )
    if folder.is_dir():
        os.environ["REMORA_BENCH_DATA"] = str(folder.resolve().parent)
    named = str(home.resolve())
    return load(found, home=named).model_copy(update={"home": named})  # $REMORA_HOME would go before it
