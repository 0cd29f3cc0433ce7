"""Components are found by registered name or by path, and what is wrong with one is said in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import ValidationError
from tests.extensions.packages import install, on_the_path

from remora.core.errors import ComponentError
from remora.core.section import Section
from remora.extensions import ComponentChoice, ComponentConfig, Kind, find, names

TESTERS = Kind("tester", "remora_tests.testers", ("test",))

GOOD = """
    from pydantic import Field
    from remora.extensions import ComponentConfig

    class Longest:
        class Config(ComponentConfig):
            days: float = Field(30.0, gt=0, description="how long")

        def test(self):
            return "tested"

    class Plain:
        def test(self):
            return "plain"

    class Toothless:
        pass

    class Odd:
        Config = dict
        def test(self):
            return "odd"

    NUMBER = 7
"""


class OneTester(ComponentChoice):
    kind: ClassVar[Kind] = TESTERS


class Tree(Section):
    testers: tuple[OneTester, ...]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with on_the_path(tmp_path):
        yield tmp_path


@pytest.fixture
def shop(folder: Path) -> Path:
    """A package with two testers."""
    points = {"longest": "shop_testers:Longest", "plain": "shop_testers:Plain"}
    install(folder, "my-shop", version="2.3", modules={"shop_testers": GOOD}, groups={TESTERS.group: points})
    return folder


@pytest.mark.usefixtures("shop")
def test_what_a_package_registers_is_found_by_name_with_its_package_and_version() -> None:
    found = find(TESTERS, "longest")
    assert (found.cls.__name__, found.distribution, found.version) == ("Longest", "my-shop", "2.3")
    assert names(TESTERS) == ("longest", "plain")


@pytest.mark.usefixtures("shop")
def test_a_class_is_found_by_its_module_and_its_package_too() -> None:
    found = find(TESTERS, "shop_testers:Longest")
    assert (found.cls.__name__, found.distribution, found.version) == ("Longest", "my-shop", "2.3")


def test_a_module_of_no_package_has_no_version(folder: Path) -> None:
    (folder / "loose_module.py").write_text("class Loose:\n    def test(self): ...\n")
    found = find(TESTERS, "loose_module:Loose")
    assert (found.distribution, found.version) == ("", "")


@pytest.mark.usefixtures("shop")
def test_of_methods_of_which_one_is_needed_a_class_has_one_alone() -> None:
    kind = Kind("tester", TESTERS.group, (), one_of=("test", "try_out"))
    assert kind.check("longest", find(TESTERS, "longest").cls).__name__ == "Longest"
    for cls in (type("Idle", (), {}), type("Both", (), {"test": print, "try_out": print})):
        with pytest.raises(
            ComponentError, match=f"{cls.__name__} needs a method test or try_out, and one of them alone"
        ):
            kind.check("it", cls)


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("longst", ["longst", "Did you mean longest?", "Install"]),
        ("zzz", ["There is: longest, plain"]),
        ("no_such_module:Longest", ["no_such_module", "ModuleNotFoundError"]),
        ("shop_testers:Nothing", ["AttributeError", "Nothing"]),
        ("shop_testers:NUMBER", ["7 and not a class"]),
        ("shop_testers:Toothless", ["Toothless has no method test"]),
        ("shop_testers:Odd", ["Odd.Config is no subclass of ComponentConfig"]),
        (":", ["ValueError"]),
    ],
)
def test_what_is_wrong_with_a_name_is_said(name: str, words: list[str]) -> None:
    with pytest.raises(ComponentError) as raised:
        find(TESTERS, name)
    for word in words:
        assert word in str(raised.value)


def test_a_name_that_two_packages_register_is_refused_and_both_are_named(shop: Path) -> None:
    install(shop, "their-shop", modules={"theirs": GOOD}, groups={TESTERS.group: {"longest": "theirs:Longest"}})
    with pytest.raises(ComponentError, match=r"2 packages register it: my-shop .*, their-shop .*Uninstall one"):
        find(TESTERS, "longest")
    assert find(TESTERS, "theirs:Longest").distribution == "their-shop"


def test_an_entry_point_that_does_not_import_names_its_package_and_the_reason(folder: Path) -> None:
    modules = {"broken_testers": "import a_package_that_is_not_there"}
    install(folder, "broken", modules=modules, groups={TESTERS.group: {"broken": "broken_testers:Broken"}})
    with pytest.raises(ComponentError, match=r"broken registers broken_testers:Broken.*a_package_that_is_not_there"):
        find(TESTERS, "broken")


@pytest.mark.usefixtures("shop")
def test_a_choice_is_a_name_or_a_name_with_settings_and_is_written_as_it_is_read() -> None:
    tree = Tree.model_validate({"testers": ["plain", {"type": "longest", "days": 14}]})
    assert tree.testers[0].config == ComponentConfig()
    assert tree.testers[1].config.days == 14  # type: ignore[attr-defined]
    written = tree.model_dump(mode="json")
    assert written == {"testers": [{"type": "plain"}, {"type": "longest", "days": 14.0}]}
    assert Tree.model_validate(written) == tree
    assert Tree.model_validate({"testers": tree.testers}) == tree


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"type": "longest", "days": 0}, ["longest", "days", "greater than 0"]),
        ({"type": "longest", "day": 1}, ["longest", "day", "Did you mean days?"]),
        ({"type": "longest", "days": True}, ["days", "a number is needed"]),
        ({"days": 1}, ["write the tester's name"]),
        ("x" * 201, ["write the tester's name"]),
        ("lon\ngest", ["write the tester's name"]),
        (7, ["write the tester's name"]),
        ("longst", ["Did you mean longest?"]),
    ],
)
def test_a_choice_that_is_wrong_says_what_to_write(written: object, words: list[str]) -> None:
    with pytest.raises(ValidationError) as raised:
        Tree.model_validate({"testers": [written]})
    for word in words:
        assert word in str(raised.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import sys; sys.exit(0)", "SystemExit"),
        (
            "class M(type):\n    def __getattr__(cls, name): raise RuntimeError('boom')\nclass It(metaclass=M): ...",
            "boom",
        ),
    ],
)
def test_a_module_that_ends_the_process_or_fails_at_a_look_is_no_component(folder: Path, text: str, says: str) -> None:
    """A command must not end with exit code 0 and without a word."""
    (folder / "ending_module.py").write_text(text)
    with pytest.raises(ComponentError, match=says):
        find(TESTERS, "ending_module:It")


@pytest.mark.parametrize(
    "fault", ["k: 'Undefined' = 0", "def model_post_init(self, context): raise RuntimeError('boom')"]
)
def test_a_config_that_fails_by_itself_names_the_component(folder: Path, fault: str) -> None:
    (folder / "failing_config.py").write_text(
        "from remora.extensions import ComponentConfig\nclass It:\n    def test(self): ...\n"
        f"    class Config(ComponentConfig):\n        {fault}\n"
    )
    with pytest.raises(ValidationError, match="tester 'failing_config:It' cannot be used: its Config cannot be used"):
        Tree(testers=("failing_config:It",))
