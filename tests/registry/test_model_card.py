from __future__ import annotations

from tests.registry import releases

from remora.registry.lineage import TrainingRows
from remora.registry.model_card import card, page


def test_the_card_says_what_it_is_for_what_it_was_made_of_and_how_good_it_is_for_whom() -> None:
    text = card(releases.LINEAGE, releases.METRICS, ("home_feed", "similar_items"))
    assert "Recommends items on: home_feed, similar_items." in text
    assert "541,909 events of 4,372 users and 4,070 items" in text
    assert "from 2010-12-01 08:26 to 2011-12-09 12:50 UTC" in text
    assert "* ranking: version 4567" in text
    assert "| ndcg@10 | new users | 0.1250 | 0.1150 … 0.1350 | 1,234 | 500 |" in text
    assert "popularity |" not in text  # the card is of the surface
    assert "## Limits" in text


def test_a_bundle_that_was_not_evaluated_says_so() -> None:
    assert "It was not evaluated." in card(releases.LINEAGE, {}, ())


RELIABILITY = [
    {"objective": "like", "segment": "all", "slates": 1234, "predicted": 0.0312, "observed": 0.03, "error": 0.0017}
]


def test_the_card_says_whether_probabilities_mean_what_they_say() -> None:
    text = card(releases.LINEAGE, {**releases.METRICS, "reliability": RELIABILITY}, ())
    assert "| like | all | 1,234 | 0.03120 | 0.03000 | 0.00170 |" in text
    assert "was not measured" in card(releases.LINEAGE, releases.METRICS, ())


def test_the_card_reports_the_rows_that_the_ranker_learned_from() -> None:
    view = {
        "fingerprint": "f",
        "rows": 40,
        "matched": 30,
        "unmatched": 6,
        "expired": 4,
        "leaks": 12,
        "strategy": "sort",
    }
    report = {"rows_in": 10, "rows_out": 10, "earliest": None, "latest": None, "future": 0, "known_time": "UTC"}
    rows = TrainingRows.model_validate(
        {
            **report,
            "fingerprint": "abcd" * 16,
            "views": {"user": view, "item": view},
            "created_at": "now",
            "seconds": 1.0,
        }
    )
    text = card(releases.LINEAGE.model_copy(update={"rows": {"train": rows}}), {}, ())
    assert "rows of train: 10, each with its features as they were known at its instant, report abcdabcd" in text
    assert "leaked the future into 24 of its rows" in text
    assert "created_at" not in rows.model_dump()  # no clock: the same bundle has the same id


def test_the_page_says_what_the_card_says_and_runs_nothing() -> None:
    evil = "<script>alert(1)</script>"
    lineage = releases.LINEAGE.model_copy(update={"feature_services": {evil: "x"}, "code": "<img src=x onerror=y>"})
    metrics = {**releases.METRICS, "reliability": [{**RELIABILITY[0], "objective": evil}]}
    html = page(lineage, metrics, (evil,), id="0123456789abcdef")
    assert "541,909 events of 4,372 users" in html
    assert '<td class="number">0.1250</td>' in html
    assert "0123456789abcdef" in html
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert "<img" not in html
    assert "http://" not in html
    assert "https://" not in html
