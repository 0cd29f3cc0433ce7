"""The packages that a bundle's components came from, beside those that are installed here."""

from __future__ import annotations

import logging
from importlib.metadata import PackageNotFoundError, version

from remora.registry.lineage import Lineage

log = logging.getLogger(__name__)


def packages_of(lineage: Lineage) -> dict[str, str]:
    """Component -> package and version that the bundle was built with; a package of another version here is logged."""
    for package, built in {(c.package, c.version) for c in lineage.components if c.package}:
        try:
            here = version(package)
        except PackageNotFoundError:
            continue  # where the component is needed, its absence is an error that names the package
        if here != built:
            log.warning(
                "The bundle was built with %s %s, and %s is installed: its components may behave differently. Install "
                "%s==%s, or build the bundle again.",
                package,
                built,
                here,
                package,
                built,
            )
    return {component.name: f"{component.package} {component.version}".strip() for component in lineage.components}
