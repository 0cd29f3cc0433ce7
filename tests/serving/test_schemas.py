"""A request that breaks the contract is said to, before it is sent."""

from __future__ import annotations

import pytest

from remora.core.errors import BadRequest
from remora.serving.schemas import RecommendRequest, recommend_request


def test_a_whole_request_is_what_it_says() -> None:
    assert recommend_request(user_id="u1", n=3) == RecommendRequest(user_id="u1", n=3)


@pytest.mark.parametrize(
    ("fields", "says"),
    [({"user_id": ""}, "user_id"), ({"user_id": "u", "n": 501}, "n: Input should be less"), ({}, "user_id: Field")],
)
def test_what_breaks_it_is_named(fields: dict, says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        recommend_request(**fields)
