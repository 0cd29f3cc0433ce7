"""What every retrieval model promises of its files: a test inherits :class:`RetrievalModelContract`."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from remora.extensions import ComponentConfig
from remora.extensions.kinds import RETRIEVAL_MODEL
from remora.registry.manifest import FORMATS

__all__ = ["RetrievalModelContract"]


class RetrievalModelContract(ABC):
    """Of retrieval models: what is loaded answers as what was saved, from files that execute nothing.

    A subclass names the ``component`` and gives the fixture ``model``, one that has learned something, and ``answers``,
    what sources read of it. It overrides ``config`` for other settings than the default.
    """

    component: ClassVar[Any]

    def config(self) -> ComponentConfig:
        """The model's own settings."""
        return RETRIEVAL_MODEL.config_of(self.component)()

    @abstractmethod
    def answers(self, model: Any) -> list[Any]:
        """What sources read of a model, as arrays or plain values."""

    def test_settings_may_choose_it(self) -> None:
        """It is learned or trained, and saved and loaded."""
        assert RETRIEVAL_MODEL.check(self.component.__name__, self.component) is self.component
        assert self.config() is not None

    def test_it_is_loaded_from_a_bundle_as_it_was_saved(self, model: Any, tmp_path: Path) -> None:
        """Its folder has files alone, in formats of a bundle."""
        model.save(tmp_path)
        files = list(tmp_path.iterdir())
        assert files
        assert all(file.is_file() for file in files)
        assert {file.suffix for file in files} <= set(FORMATS)
        self.same(self.component.load(self.config(), tmp_path), model)

    def test_it_crosses_process_borders(self, model: Any) -> None:
        """A replay runs in Ray's workers."""
        self.same(pickle.loads(pickle.dumps(model)), model)

    def same(self, one: Any, other: Any) -> None:
        """Both answer alike."""
        answers, expected = self.answers(one), self.answers(other)
        assert expected
        assert len(answers) == len(expected)
        for mine, theirs in zip(answers, expected, strict=True):
            np.testing.assert_array_equal(mine, theirs)
