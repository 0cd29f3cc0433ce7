"""Stages and surfaces of one's own: a class or a function of an installed module, named in settings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.extensions.packages import install, on_the_path
from tests.serving.small_shop import INSTANT, N_ITEMS, context, settings

from remora.core.errors import ComponentError
from remora.pipeline import Query
from remora.settings import Settings
from remora.surfaces.build import pipeline_of, pipelines

MODULE = """
    import numpy as np
    from pydantic import Field
    from remora.extensions import ComponentConfig
    from remora.pipeline import Pipeline, Retrieved
    from remora.retrieval.sources.popular import Popular

    class LastOnes:
        class Config(ComponentConfig):
            limit: int = Field(3, ge=1)

        def __init__(self, rows):
            self.rows = rows

        @classmethod
        def from_config(cls, config, context):
            return cls(np.arange(len(context.vocabulary) - config.limit, len(context.vocabulary), dtype=np.int32))

        def find(self, query):
            return Retrieved(self.rows, np.ones(len(self.rows), np.float32))

    class EvenRows:
        @classmethod
        def from_config(cls, config, context):
            return cls()

        def allowed(self, query, candidates):
            return candidates.rows % 2 == 0

    def row(context):
        return Pipeline(sources={"last": LastOnes.from_config(LastOnes.Config(limit=5), context)})

    def nothing(context):
        return None
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delitem(sys.modules, "my_stages", raising=False)
    groups = {"remora.sources": {"last_ones": "my_stages:LastOnes"}}
    install(tmp_path, "my-stages", modules={"my_stages": MODULE}, groups=groups)
    with on_the_path(tmp_path):
        yield


def shop(**surfaces: Any) -> Settings:
    return Settings.model_validate({**settings().model_dump(), "surfaces": surfaces})


def shown(of: Settings, surface: str) -> list[int]:
    query = Query(request_id="r", surface=surface, n=4, instant=INSTANT)
    rows: list[int] = pipeline_of(context(of), surface).run(query).candidates.rows.tolist()
    return rows


def test_a_surface_is_made_of_registered_stages_and_of_classes_by_their_module() -> None:
    mine = shop(shelf={"sources": {"last_ones": {"limit": 6}}, "filters": {"even": {"type": "my_stages:EvenRows"}}})
    assert shown(mine, "shelf") == [N_ITEMS - 6, N_ITEMS - 4, N_ITEMS - 2]
    assert list(pipelines(context(mine))) == ["home_feed", "similar_items", "shelf"]


def test_a_surface_may_be_a_function() -> None:
    assert shown(shop(shelf={"pipeline": "my_stages:row"}), "shelf") == list(range(N_ITEMS - 5, N_ITEMS - 1))


def test_a_function_that_gives_no_pipeline_is_named() -> None:
    with pytest.raises(ComponentError, match="surface 'my_stages:nothing' cannot be used: it gives NoneType"):
        shown(shop(shelf={"pipeline": "my_stages:nothing"}), "shelf")


def test_a_stage_that_has_nothing_to_work_with_is_left_out() -> None:
    bare = settings().model_dump()
    bare["retrieval"]["models"].pop("segment_popularity")
    without = context(Settings.model_validate(bare))
    models = {name: model for name, model in without.models.items() if name != "segment_popularity"}
    found = pipeline_of(type(without)(**{**vars(without), "models": models}), "home_feed")
    assert "popular_in_segment" not in found.sources
    assert "nearest_items" in found.sources
