"""The deep ranker as a ranking model: NumPy in, NumPy out, one thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import Field

from remora.core.errors import DataError
from remora.extensions import ComponentConfig
from remora.settings.tuning import Choice, Range

if TYPE_CHECKING:  # settings import the components that they name
    from pathlib import Path

    from torch import Tensor

    from remora.ranking.batch import Batch
    from remora.ranking.learning import LearningResult, RankerInputs, RankingData
    from remora.ranking.model import Margins
    from remora.ranking.network.network import NetworkSpec, RankingNetwork

SPEC, WEIGHTS = "network.json", "network.safetensors"


@dataclass(frozen=True)
class Network:
    """The deep ranker: one network with a head for each objective.

    Its weights, and the vectors (items, d) of the items by row. ``indices``: of the objectives that are predicted.
    ``live_vectors`` (m, d): of the items behind the last.
    """

    class Config(ComponentConfig):
        """The settings of the model."""

        hidden_dim: int = Field(64, ge=1, le=8_192, description="of the features' projection, which the crosses keep")
        cross_layers: int = Field(2, ge=0, le=100, description="DCN-v2 cross layers")
        attention_dim: int = Field(
            32, ge=1, le=8_192, description="width of the candidate's attention over the history (DIN)"
        )
        history: int = Field(20, ge=0, le=10_000, description="most recent positive items that it reads; 0: none")
        experts: int = Field(4, ge=1, le=1_000, description="MMoE experts, which the objectives share")
        expert_width: int = Field(64, ge=1, le=8_192, description="outputs of each expert")
        dropout: float = Field(0.2, ge=0, lt=1, description="share of activations dropped in training")
        listwise_loss_weight: float = Field(
            0.8, ge=0, le=1, description="share of a listwise head's loss that compares within a slate"
        )
        learning_rate: float = Field(1e-3, gt=0, le=10, description="of AdamW")
        weight_decay: float = Field(1e-4, ge=0, le=10, description="of AdamW")
        epochs: int = Field(30, ge=1, le=10_000, description="most passes over the training slates")
        patience: int = Field(
            4, ge=1, le=10_000, description="epochs without a better validation after which training ends"
        )
        batch_queries: int = Field(32, ge=1, le=100_000, description="slates in a batch of all workers together")

    spec: NetworkSpec
    network: RankingNetwork
    item_vectors: Tensor
    indices: tuple[int, ...] | None = None
    live_vectors: Tensor | None = None

    def __post_init__(self) -> None:
        self.network.eval()
        if self.item_vectors.shape[1] != self.spec.dimension:
            raise DataError(
                f"The deep ranker reads item vectors of {self.spec.dimension} numbers, these have "
                f"{self.item_vectors.shape[1]}: they come from different bundles. Train the ranker again."
            )

    @classmethod
    def learn(cls, config: Config, data: RankingData) -> LearningResult:
        """On Ray Train, all objectives at once; the best epoch by validation, and the same continued with it."""
        from remora.ranking.learning import Curve, LearningResult
        from remora.ranking.network.fit import fitted

        chosen, final, history = fitted(config, data)
        curves = {"": Curve(step="epoch", values=history)} if history else {}
        return LearningResult(chosen=chosen, final=final, curves=curves)

    def save(self, folder: Path) -> None:
        """``network.json`` and ``network.safetensors``."""
        from safetensors.torch import save_file

        (folder / SPEC).write_text(self.spec.model_dump_json(indent=1))
        save_file({name: value.contiguous() for name, value in self.network.state_dict().items()}, folder / WEIGHTS)

    @classmethod
    def load(cls, config: Config, folder: Path, inputs: RankerInputs) -> Network:
        """What :meth:`save` wrote; DataError where the item vectors are not those that the network reads."""
        from safetensors.torch import load_file

        from remora.core.json_document import parse_document
        from remora.ranking.network.network import NetworkSpec, RankingNetwork

        spec = parse_document((folder / SPEC).read_bytes(), str(folder / SPEC), NetworkSpec, "Build the bundle again.")
        network = RankingNetwork(spec)
        network.load_state_dict(load_file(folder / WEIGHTS))
        return cls(spec, network, inputs.item_vectors)

    @property
    def takes_live_rows(self) -> bool:
        """Where it has their vectors."""
        return self.live_vectors is not None

    def with_live_items(self, vectors: Tensor) -> Network:
        """See :class:`~remora.ranking.model.VectorReadingModel`."""
        return replace(self, live_vectors=vectors)

    def margins(self, batch: Batch) -> Margins:
        """Shape (n, objectives) float32, in the order of ``spec.objectives`` or of ``indices``."""
        import torch

        from remora.ranking.network.tensors import tensors

        with torch.inference_mode():
            read = tensors(batch, self.item_vectors, self.spec.settings.history, live=self.live_vectors)
            found: Margins = self.network(*read).numpy()
        return found if self.indices is None else found[:, self.indices]

    def select(self, indices: Sequence[int]) -> Network:
        """The same network, of which fewer columns are predicted: objectives share all but the last layers."""
        before = range(len(self.spec.objectives)) if self.indices is None else self.indices
        return replace(self, indices=tuple(before[index] for index in indices))

    @classmethod
    def search_space(cls) -> dict[str, Range | Choice]:
        """See :mod:`remora.ranking.trials`."""
        return {
            "learning_rate": Range(low=2e-4, high=5e-3, log=True),
            "hidden_dim": Choice(choices=(32, 64, 128)),
            "cross_layers": Range(low=0, high=3),
            "attention_dim": Choice(choices=(16, 32, 64)),
            "experts": Choice(choices=(1, 2, 4, 8)),
            "dropout": Range(low=0.0, high=0.5),
            "listwise_loss_weight": Range(low=0.5, high=1.0),
        }

    @classmethod
    def fixed_fields(cls) -> frozenset[str]:
        """See :mod:`remora.ranking.trials`."""
        return frozenset({"epochs", "patience"})

    @classmethod
    def stage_count(cls, config: Config) -> int:
        """See :mod:`remora.ranking.trials`."""
        return config.epochs

    @classmethod
    def stages(cls, config: Config, data: RankingData) -> Iterator[Network]:
        """After each epoch."""
        from remora.ranking.network.fit import network_by_epoch

        return network_by_epoch(config, data)
