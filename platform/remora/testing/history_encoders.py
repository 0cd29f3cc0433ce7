"""What every history encoder promises: a test inherits the contract of its kind and names the component.

Classes of pytest whose methods are plain functions: nothing here needs pytest, or a plugin of it.
"""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from remora.extensions import ComponentConfig
from remora.extensions.kinds import HISTORY_ENCODER

__all__ = ["HistoryEncoderContract", "HistoryNetworkContract", "HistorySummaryContract", "some_vectors"]

DIMENSION, LENGTH = 8, 6
"""Of the networks that are built: the width of item vectors, and the longest history."""

CLOSE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5}


def some_vectors(n: int, length: int = LENGTH, seed: int = 0) -> Tensor:
    """Item vectors (n, length, DIMENSION) of n histories, with a deviation of one."""
    return torch.randn(n, length, DIMENSION, generator=torch.Generator().manual_seed(seed))


class HistoryNetworkContract(ABC):
    """Of both kinds: the network is one of its settings, its weights can be kept and learned, and it guesses nothing.

    A subclass names the ``component``, and overrides ``config`` for other settings than the default.
    """

    component: ClassVar[Any]

    def config(self) -> ComponentConfig:
        """The encoder's own settings."""
        return HISTORY_ENCODER.config_of(self.component)()

    @abstractmethod
    def built(self) -> nn.Module:
        """A network with new weights."""

    @abstractmethod
    def read(self, network: nn.Module, histories: Sequence[Tensor]) -> Tensor:
        """What it makes of histories (l, DIMENSION) of any lengths: (n, …)."""

    def network(self, seed: int = 5) -> nn.Module:
        """As it serves, with drawn weights: none stays at a zero or a one that would hide a mistake."""
        torch.manual_seed(seed)
        made = self.built()
        for weight in made.parameters():
            nn.init.normal_(weight, std=0.3)
        return made.eval()

    def test_the_same_history_gives_the_same_numbers(self) -> None:
        """Finite, float32, without a draw once it serves, as it is built and with other weights."""
        histories = [some_vectors(1, length)[0] for length in (1, 3, LENGTH)]
        torch.manual_seed(1)
        for network in (self.built().eval(), self.network()):
            found = self.read(network, histories)
            assert found.dtype == torch.float32
            assert torch.isfinite(found).all()
            torch.testing.assert_close(found, self.read(network, histories), rtol=0, atol=0)

    def test_a_history_is_read_alike_whoever_is_in_the_batch(self) -> None:
        """Serving reads one user, a replay thousands."""
        network, histories = self.network(), [one[0] for one in some_vectors(5).split(1)]
        together = self.read(network, histories)
        for number, one in enumerate(histories):
            torch.testing.assert_close(self.read(network, [one])[0], together[number], **CLOSE)

    def test_its_weights_are_all_that_has_to_be_kept(self) -> None:
        """A bundle holds them as safetensors, and another process builds the network from the settings alone."""
        kept, histories = self.network(), [some_vectors(1)[0]]
        other = self.network(seed=6)
        assert not torch.allclose(self.read(kept, histories), self.read(other, histories))
        weights = load(save({name: one.contiguous() for name, one in kept.state_dict().items()}))
        other.load_state_dict(weights)
        torch.testing.assert_close(self.read(other, histories), self.read(kept, histories), rtol=0, atol=0)

    def test_every_weight_is_learned(self) -> None:
        """A gradient, finite, reaches each parameter."""
        network = self.network().train()
        histories = [one[0] for one in some_vectors(4).split(1)]
        drawn = torch.Generator().manual_seed(3)
        found = self.read(network, histories)
        (found * torch.randn(found.shape, generator=drawn)).sum().backward()
        for name, weight in network.named_parameters():
            assert weight.grad is not None, f"no gradient reaches {name}"
            assert torch.isfinite(weight.grad).all(), f"the gradient of {name} is not finite"

    def test_it_crosses_process_borders(self) -> None:
        """A replay runs in Ray's workers."""
        network, histories = self.network(), [some_vectors(1)[0]]
        found = self.read(pickle.loads(pickle.dumps(network)), histories)
        torch.testing.assert_close(found, self.read(network, histories), rtol=0, atol=0)


class HistoryEncoderContract(HistoryNetworkContract):
    """Of encoders that give a state after each item: a state knows the past alone, which hides the padding too."""

    def built(self) -> nn.Module:
        """A network with new weights."""
        network: nn.Module = self.component.states(self.config(), dimension=DIMENSION, length=LENGTH)
        return network

    def read(self, network: nn.Module, histories: Sequence[Tensor]) -> Tensor:
        """The last state (n, DIMENSION) of each."""
        padded = nn.utils.rnn.pad_sequence([*histories], batch_first=True)
        last = torch.tensor([len(one) - 1 for one in histories])
        found: Tensor = network(padded)[torch.arange(len(histories)), last]
        return found

    def test_there_is_a_state_of_every_position(self) -> None:
        """Of histories that are shorter than the longest, too."""
        network = self.network()
        for length in range(1, LENGTH + 1):
            assert network(some_vectors(3, length)).shape == (3, length, DIMENSION)

    def test_a_state_depends_on_no_later_item(self) -> None:
        """A model of sequences learns the next item from it, and would learn to look it up."""
        network, items = self.network(), some_vectors(1)
        before = network(items)
        for place in range(LENGTH):
            other = items.clone()
            other[0, place] = some_vectors(1, 1, seed=9)[0, 0]
            same = torch.isclose(network(other), before, **CLOSE).all(-1)[0]
            assert same[:place].all(), f"the states before position {place} depend on its item"
            assert not same[place:].all(), f"no state depends on the item of position {place}"

    def test_padding_behind_changes_nothing(self) -> None:
        """Whatever stands there."""
        network, items = self.network(), some_vectors(2)
        for length in range(1, LENGTH):
            torch.testing.assert_close(network(items)[:, :length], network(items[:, :length]), **CLOSE)


class HistorySummaryContract(HistoryNetworkContract):
    """Of encoders that give one vector of a history."""

    def built(self) -> nn.Module:
        """A network with new weights."""
        network: nn.Module = self.component.summary(self.config(), dimension=DIMENSION, length=LENGTH)
        return network

    def read(self, network: nn.Module, histories: Sequence[Tensor], padding: float = 0.0) -> Tensor:
        """The vector (n, DIMENSION) of each; their mean is an even one."""
        history = torch.full((len(histories), LENGTH, DIMENSION), padding)
        present = torch.zeros(len(histories), LENGTH, dtype=torch.bool)
        mean, last = torch.zeros(len(histories), DIMENSION), torch.zeros(len(histories), DIMENSION)
        for number, one in enumerate(histories):
            if len(one):
                history[number, -len(one) :], present[number, -len(one) :] = one, True
                mean[number], last[number] = one.mean(0), one[-1]
        found: Tensor = network(history, present, mean, last)
        return found

    def test_there_is_one_vector_of_every_history(self) -> None:
        """Of an empty one, too."""
        histories = [some_vectors(1, length)[0] for length in range(LENGTH + 1)]
        found = self.read(self.network(), histories)
        assert found.shape == (LENGTH + 1, DIMENSION)
        assert torch.isfinite(found).all()

    def test_padding_before_changes_nothing(self) -> None:
        """Whatever stands there."""
        network, histories = self.network(), [some_vectors(1, length)[0] for length in range(LENGTH + 1)]
        torch.testing.assert_close(self.read(network, histories), self.read(network, histories, padding=7.0), **CLOSE)
