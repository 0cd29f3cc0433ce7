from __future__ import annotations

from tests.registry import releases

from remora.registry.card import card


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
