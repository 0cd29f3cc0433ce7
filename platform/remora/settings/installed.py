"""Are the packages installed that the settings ask for beyond Remora's own?"""

from __future__ import annotations

from importlib.util import find_spec

from remora.core.errors import SettingsError
from remora.settings.tree import Settings

DRIVERS = {"postgresql": "psycopg", "mysql": "MySQLdb"}
"""What SQLAlchemy imports for a database whose URL names no driver."""

EXTRAS = {"redis": "redis", "psycopg": "postgres", "pyiceberg": "iceberg", "deltalake": "delta"}
"""The extra of Remora that brings a package."""


def check_installed(settings: Settings) -> None:
    """SettingsError for a server whose client is not installed, with the command that installs it."""
    if settings.features.redis:
        check_package("features.redis", "redis")
    for place, url in (
        ("features.registry", settings.features.registry),
        ("tracking_uri", settings.tracking_uri),
        ("registry.lock_url", settings.registry.lock_url),
    ):
        database, _, driver = (url or "").partition("://")[0].partition("+")
        if package := driver or DRIVERS.get(database):
            check_package(place, package)


def check_package(place: str, package: str) -> None:
    """SettingsError when ``package`` is not installed, which ``place`` of the settings needs."""
    if find_spec(package) is None:
        extra = EXTRAS.get(package)
        wanted = f"'remora[{extra}]' (in a checkout: '.[{extra}]')" if extra else package
        raise SettingsError(f"{place} needs the package {package}, which is not installed: pip install {wanted}.")
