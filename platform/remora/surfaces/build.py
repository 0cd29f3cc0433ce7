"""Surfaces as the settings describe them, made of live components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from remora.core.errors import ComponentError
from remora.extensions import ComponentChoice
from remora.pipeline import Pipeline, StageContext


def pipelines(context: StageContext) -> dict[str, Pipeline]:
    """Every surface of the settings, by name."""
    return {name: pipeline_of(context, name) for name in context.settings.surfaces.names}


def pipeline_of(context: StageContext, surface: str) -> Pipeline:
    """One surface. KeyError where the settings have none of that name, ComponentError where code of one makes none."""
    here, rules = context.of_surface(surface), context.settings.surfaces[surface]
    hydrators = _stages(rules.live("hydrators"), here)
    if rules.pipeline is not None:
        found = rules.pipeline.component.cls
        made = _made(rules.pipeline, here) if isinstance(found, type) else found(here)
        if not isinstance(made, Pipeline):
            kind = rules.pipeline.kind.name
            raise ComponentError(kind, rules.pipeline.type, f"it gives {type(made).__name__}, and not a Pipeline")
        return replace(
            made, hydrators=made.hydrators or hydrators, live_from=context.live_from, deleted=context.deleted
        )
    return Pipeline(
        hydrators=hydrators,
        sources=_stages(rules.live("sources"), here),
        filters=_stages(rules.live("filters"), here),
        scorer=None if rules.scorer is None else _made(rules.scorer, here),
        rerankers=_stages(rules.live("rerankers"), here),
        backfill=None if rules.backfill is None else _made(rules.backfill, here),
        merge=here.merge,
        live_from=context.live_from,
        deleted=context.deleted,
    )


def _stages(choices: Mapping[str, ComponentChoice], context: StageContext) -> dict[str, Any]:
    """The stages by name, without those that have nothing to work with here."""
    made = {name: _made(choice, context) for name, choice in choices.items()}
    return {name: stage for name, stage in made.items() if stage is not None}


def _made(choice: ComponentChoice, context: StageContext) -> Any:
    """The component, live; None where it says that it has nothing to work with."""
    return choice.component.cls.from_config(choice.config, context)
