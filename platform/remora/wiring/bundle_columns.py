"""What the rankers of bundles read, without loading anything else of them."""

from __future__ import annotations

from collections.abc import Iterable

from remora.core.errors import NotFound
from remora.core.home import Home
from remora.core.json_document import parse_document
from remora.ranking.columns import RankerColumns
from remora.ranking.ranker import SPEC, RankerSpec
from remora.registry.store import BundleStore
from remora.registry.trust import trusted
from remora.settings import Settings


def columns_of_bundles(settings: Settings, ids: Iterable[str]) -> dict[str, RankerColumns]:
    """The columns of each bundle's ranker, by id; bundles that were removed are left out.

    SignatureError and ChecksumMismatch for one that is not trusted or damaged.
    """
    store, found = BundleStore(Home(settings.home)), {}
    for id in sorted(set(ids)):
        try:
            bundle = trusted(store.read(id), settings.registry)
        except NotFound:
            continue
        file = bundle.local() / SPEC
        found[id] = parse_document(file.read_bytes(), str(file), RankerSpec, "Build the bundle again.").columns
    return found
