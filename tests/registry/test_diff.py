"""What a bundle has that another has not."""

from __future__ import annotations

import copy
import json

from tests.registry import releases

from remora.registry.bundle import Bundle
from remora.registry.bundles import Bundles
from remora.registry.diff import ChangedFact, difference
from remora.settings import BundleSettings, Settings


def built(bundles: Bundles, *, settings: object, events: int, remora: str, ndcg: float, booster: bytes) -> Bundle:
    lineage = releases.LINEAGE.model_copy(update={"events": events, "remora": remora})
    metrics = copy.deepcopy(releases.METRICS)
    metrics["estimates"][0]["mean"] = ndcg  # type: ignore[index]
    files = {"ranker.ubj": booster, "settings.json": json.dumps(settings).encode()}
    return bundles.build(files, lineage=lineage, metrics=metrics, surfaces=("home_feed",))


def test_every_change_is_named_once_with_what_was_and_what_is(bundles: Bundles, settings: Settings) -> None:
    own = BundleSettings.of(settings).model_dump(mode="json")
    own["retrieval"]["epochs"] = 100
    one = built(bundles, settings=own, events=100, remora="0.1.0", ndcg=0.25, booster=b"one")
    own["retrieval"]["epochs"] = 200
    own["ranking"]["objectives"]["more"] = {"events": ["like"], "weight": 6.0}
    two = built(bundles, settings=own, events=150, remora="0.2.0", ndcg=0.5, booster=b"twice")
    changed = difference(one, two)
    assert [c for c in changed if c.part != "files"] == [
        ChangedFact(part="data", name="events", before=100, after=150),
        ChangedFact(part="code", name="remora", before="0.1.0", after="0.2.0"),
        ChangedFact(part="settings", name="retrieval.epochs", before=100, after=200),
        ChangedFact(part="settings", name="ranking.objectives.more.events", before=None, after=["like"]),
        ChangedFact(part="settings", name="ranking.objectives.more.weight", before=None, after=6.0),
        ChangedFact(part="metrics", name="ndcg@10 all", before=0.25, after=0.5),
    ]
    files = {c.name: (c.before, c.after) for c in changed if c.part == "files"}
    assert set(files) == {"ranker.ubj", "settings.json", "lineage.json", "metrics.json", "card.md"}
    assert [text.partition(" ")[2] for text in files["ranker.ubj"]] == ["(3 bytes)", "(5 bytes)"]
    assert [c.by for c in changed if c.name in ("events", "ndcg@10 all", "remora")] == [50.0, None, 0.25]
    assert difference(one, one) == []


def test_a_bundle_without_settings_or_metrics_is_compared_all_the_same(bundles: Bundles) -> None:
    bare = bundles.build({"ranker.ubj": b"one"}, lineage=releases.LINEAGE, metrics={}, surfaces=())
    parts = {change.part for change in difference(bare, releases.build(bundles))}
    assert parts == {"settings", "metrics", "files"}
