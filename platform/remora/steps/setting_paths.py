"""Settings by dotted paths: `retrieval.learning_rate`, a whole section `split`, `data.event_types.*.sign` of each type.

`objectives` at the beginning means what :attr:`Settings.objectives` gives: those that are written down, or those that
follow from the event types. `ranked_surface` means :attr:`Settings.ranked_surface`, whatever its name is, and
`trained_models` those of `retrieval.models` that are trained.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import RootModel

from remora.core.section import Section, UndeclaredSetting
from remora.extensions import ComponentChoice
from remora.settings import ObjectiveSettings, Settings, SurfaceSettings
from remora.settings.components import RetrievalModelChoice

EACH = "*"
"""In a path: every name of a mapping."""

OBJECTIVES, RANKED_SURFACE, TRAINED_MODELS = "objectives", "ranked_surface", "trained_models"

Tree = dict[str, "Tree"]
"""Names -> what is meant below each; nothing below a name means all of it."""


def check(path: str) -> None:
    """ValueError, with what there is, for a path that no settings have."""
    kind: Any = Settings
    passed: list[str] = []
    for name in path.split("."):
        kind = _below(kind, name, ".".join(passed) or "the settings")
        passed.append(name)


def values(settings: Settings, paths: Iterable[str]) -> dict[str, Any]:
    """The settings that paths name, as JSON by the path of each single one, without credentials.

    UndeclaredSetting where ``settings`` is a view (:func:`view`) that lacks one.
    """
    whole = settings.inputs()
    tree = tree_of(paths)
    if OBJECTIVES in tree:
        whole[OBJECTIVES] = {name: objective.inputs() for name, objective in settings.objectives.items()}
    if RANKED_SURFACE in tree:
        whole[RANKED_SURFACE] = settings.ranked_surface.inputs()
    if TRAINED_MODELS in tree:
        whole[TRAINED_MODELS] = {name: choice.inputs() for name, choice in settings.retrieval.trained.items()}
    return dict(_flat(_chosen(whole, tree, ()), ()))


def view(settings: Settings, paths: Iterable[str]) -> Settings:
    """The settings that paths name and no others: reading another one is an UndeclaredSetting."""
    tree = dict(tree_of(paths))
    objectives, ranked, trained = (tree.pop(name, None) for name in (OBJECTIVES, RANKED_SURFACE, TRAINED_MODELS))
    found: Settings = _view(settings, tree)
    of_ranking: dict[str, Any] = {}
    if objectives is not None:
        of_ranking[OBJECTIVES] = {
            name: _view(one, objectives.get(EACH, {})) for name, one in settings.objectives.items()
        }
    if ranked is not None:
        of_ranking["surface"] = name = settings.ranking.surface
        others = found.surfaces.root if "surfaces" in tree else {}
        surfaces = _with(settings.surfaces, {"root": {name: _view(settings.ranked_surface, ranked), **others}}, False)
        found = _with(found, {"surfaces": surfaces}, True)
    if trained is not None and not _includes(tree, "retrieval", "models"):
        below = "retrieval" in tree
        base = found.retrieval if below else settings.retrieval
        found = _with(found, {"retrieval": _with(base, {"models": settings.retrieval.trained}, below)}, True)
    if of_ranking:
        ranking = _with(found.ranking if "ranking" in tree else settings.ranking, of_ranking, "ranking" in tree)
        found = _with(found, {"ranking": ranking}, True)
    return found


def _includes(tree: Tree, section: str, name: str) -> bool:
    return section in tree and (not tree[section] or name in tree[section])


def tree_of(paths: Iterable[str]) -> Tree:
    """The paths as one tree; a section takes in what is named below it."""
    tree: Tree = {}
    for path in sorted(paths):  # a section comes before what is below it
        at, names = tree, path.split(".")
        for depth, name in enumerate(names):
            known = at.get(name)
            if known is not None and not known:
                break  # all of it is meant already
            at = at.setdefault(name, {})
            if depth == len(names) - 1:
                at.clear()
    return tree


def _below(kind: Any, name: str, where: str) -> Any:
    """The type of ``name`` in a value of that type."""
    for one in _alternatives(kind):
        if get_origin(one) is dict:
            if name != EACH:
                raise ValueError(f"{where} has names of the user's own: write {where}.{EACH}")
            return get_args(one)[1]
        if isinstance(one, type) and issubclass(one, RootModel):
            return _below(one.model_fields["root"].annotation, name, where)
        if isinstance(one, type) and issubclass(one, Section) and not issubclass(one, ComponentChoice):
            if one is Settings and name == OBJECTIVES:
                return dict[str, ObjectiveSettings]
            if one is Settings and name == RANKED_SURFACE:
                return SurfaceSettings
            if one is Settings and name == TRAINED_MODELS:
                return dict[str, RetrievalModelChoice]
            if name not in one.model_fields:
                raise ValueError(f"{where} has no {name}; it has: {', '.join(one.model_fields)}")
            return one.model_fields[name].annotation
    raise ValueError(f"{where} is a single value, which has no {name}")


def _alternatives(kind: Any) -> Iterator[Any]:
    if get_origin(kind) is Annotated:
        yield from _alternatives(get_args(kind)[0])
    elif get_origin(kind) in (Union, types.UnionType):
        for one in get_args(kind):
            yield from _alternatives(one)
    else:
        yield kind


def _chosen(value: Any, tree: Tree, place: tuple[str, ...]) -> Any:
    if not tree or not isinstance(value, Mapping):
        return value
    if EACH in tree:
        return {name: _chosen(one, tree[EACH], (*place, name)) for name, one in value.items()}
    if lacking := sorted(tree.keys() - value.keys()):
        raise UndeclaredSetting(".".join((*place, lacking[0])))
    return {name: _chosen(value[name], below, (*place, name)) for name, below in tree.items()}


def _flat(value: Any, place: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Every single value with its path; lists of sections are gone through, other lists are one value."""
    if isinstance(value, Mapping) and value:
        for name, one in value.items():
            yield from _flat(one, (*place, str(name)))
    elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        for index, one in enumerate(value):
            yield from _flat(one, (*place, str(index)))
    else:
        yield ".".join(place), value


def _view(value: Any, tree: Tree) -> Any:
    if not tree:
        return value
    if isinstance(value, RootModel):
        return _with(value, {"root": _view(value.root, tree)}, False)
    if isinstance(value, Section):
        kept = {name: _view(one, tree[name]) for name, one in vars(value).items() if name in tree}
        return _with(value, kept, False)
    if isinstance(value, Mapping):
        return {name: _view(one, tree[EACH]) for name, one in value.items()}
    return value


def _with(section: Any, fields: Mapping[str, Any], added: bool) -> Any:
    """The section with these fields alone, or with these ``added`` to its own."""
    copied = section.model_copy()
    # Past the checks of assignment: a view lacks fields, which no section that is validated may.
    object.__setattr__(copied, "__dict__", {**(vars(section) if added else {}), **fields})
    return copied
