"""Remora's own transforms keep what every transform promises."""

from __future__ import annotations

from typing import ClassVar

from tests.features.own_transforms import Buyers, Hours

from remora.features.transforms import Transform
from remora.features.transforms.item_activity import ItemActivity
from remora.features.transforms.user_activity import UserActivity
from remora.features.transforms.user_affinity import UserAffinity
from remora.features.transforms.user_history import UserHistory
from remora.testing.transforms import TransformContract, some_context


class TestUserActivity(TransformContract):
    component: ClassVar[type[Transform]] = UserActivity


class TestItemActivity(TransformContract):
    component: ClassVar[type[Transform]] = ItemActivity


class TestUserAffinity(TransformContract):
    component: ClassVar[type[Transform]] = UserAffinity

    def test_data_without_a_category_has_no_such_view(self) -> None:
        assert not UserAffinity.applies(UserAffinity.Config(), some_context(item_categories=None))


class TestUserHistory(TransformContract):
    component: ClassVar[type[Transform]] = UserHistory
    only_latest: ClassVar[bool] = True


class TestHours(TransformContract):
    component: ClassVar[type[Transform]] = Hours


class TestBuyers(TransformContract):
    component: ClassVar[type[Transform]] = Buyers
