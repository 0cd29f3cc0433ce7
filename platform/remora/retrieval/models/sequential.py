"""The next item by the order of the items before it, as a model that sources read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field, model_validator

from remora.core.errors import UnreadableInput
from remora.core.json_document import parse_document
from remora.retrieval.history_encoders.trained_with import check_trained_with
from remora.retrieval.models.trained_vectors import TrainedVectors, TrainingConfig
from remora.settings.components import HistoryEncoderChoice, LossChoice

if TYPE_CHECKING:  # settings import the components that they name
    from pathlib import Path

    import numpy.typing as npt
    from torch import nn

    from remora.pipeline.candidates import Floats
    from remora.retrieval.models.training import TrainingData, TrainingSplit
    from remora.retrieval.sequential_tower import SequenceSpec, SequentialTower
    from remora.retrieval.training_inputs import NextItems

SPEC, ENCODER = "sequential.json", "encoder.safetensors"
QUESTIONS = 200
"""Users by whom the index of a large catalogue is chosen."""


@dataclass(frozen=True, kw_only=True)
class Sequential(TrainedVectors):
    """The sequential tower: an encoder's last state of a history, and a vector of each item that it was trained on.

    :mod:`remora.retrieval.history_encoders` has Remora's encoders and their papers.
    """

    class Config(TrainingConfig):
        """The settings of the model."""

        encoder: HistoryEncoderChoice = Field(
            "causal_transformer",  # type: ignore[assignment]
            validate_default=True,
            description="what reads the history: one that gives a state after each item",
        )
        length: int = Field(50, ge=1, le=10_000, description="items of a history that it reads, most recent last")
        temperature: float | None = Field(
            0.07, ge=0.001, le=100, description="scores are cosines over it; null: plain inner products"
        )
        loss: LossChoice = Field(
            "sampled_softmax",  # type: ignore[assignment]
            validate_default=True,
            description="what is minimized; full_cross_entropy compares with the whole catalogue, not with negatives",
        )
        batch_users: int = Field(128, ge=1, le=1_000_000, description="users of a batch, of all workers together")

        @model_validator(mode="after")
        def _encoder_fits(self) -> Sequential.Config:
            self.encoder.check_states()
            self.encoder.check_dimension(self.dimension)
            return self

    spec: SequenceSpec
    encoder: nn.Module

    @classmethod
    def train(cls, config: Config, data: TrainingData) -> Sequential:
        """See :class:`~remora.retrieval.models.training.TrainedModel`; the last item of a held-out user validates."""
        from remora.retrieval.linear.co_occurrence import directions
        from remora.retrieval.sequential_tower import SequenceSpec
        from remora.retrieval.training_inputs import SequenceInputs, SequenceSchedule

        split = data.split(user_fraction=config.validation_user_fraction, seed=config.seed)
        spec = SequenceSpec(
            items=len(split.rows),
            dimension=config.dimension,
            encoder=config.encoder,
            length=config.length,
            temperature=config.temperature,
        )
        tower = data.networks.sequences(
            SequenceInputs(
                spec=spec,
                train=split.train,
                validation=_next_items(split),
                start=directions(split.train, config.dimension),
            ),
            SequenceSchedule(
                epochs=config.epochs,
                batch_users=config.batch_users,
                learning_rate=config.learning_rate,
                loss=config.loss,
                negatives=config.negatives,
                popularity=0.0,
                weight_decay=0.0,
                patience=config.patience,
                seconds=None,
                seed=config.seed,
            ),
        )
        return cls.of(tower, split)

    @classmethod
    def of(cls, tower: SequentialTower, split: TrainingSplit) -> Sequential:
        """A trained tower over the rows of its split."""
        from remora.retrieval.models.item_vectors import ItemVectors
        from remora.retrieval.sequential_tower import user_vectors

        users = user_vectors(tower, split.train.chosen(np.flatnonzero(split.train.lengths)[:QUESTIONS]))
        items = ItemVectors.build(split.rows, tower.vectors().detach().cpu().numpy(), users)
        return cls(items=items, spec=tower.spec, encoder=tower.history.cpu().eval())

    def encode(self, history: npt.NDArray[np.int64]) -> Floats:
        """See :class:`~remora.retrieval.models.trained_vectors.TrainedVectors`: the state after the last item."""
        import torch

        from remora.retrieval.sequential_tower import states

        read = torch.from_numpy(self.items.vectors[history[-self.spec.length :]])
        with torch.inference_mode():
            found: Floats = states(self.spec, self.encoder, read[None])[0, -1].numpy()
        return found

    def save(self, folder: Path) -> None:
        """Write the vectors with their index, the encoder's weights, and its shape."""
        from safetensors.torch import save_file

        self.items.save(folder)
        save_file({name: one.contiguous() for name, one in self.encoder.state_dict().items()}, folder / ENCODER)
        (folder / SPEC).write_text(json.dumps(self.spec.to_json(), indent=1))

    @classmethod
    def load(cls, config: Config, folder: Path) -> Sequential:
        """What :meth:`save` wrote, with the encoder that ``config`` chooses.

        DataError where it was trained with another one, UnreadableInput for a shape that describes no tower.
        """
        from safetensors.torch import load_file

        from remora.retrieval.models.item_vectors import ItemVectors
        from remora.retrieval.sequential_tower import SequenceSpec, encoder_of

        file, hint = folder / SPEC, "Build the bundle again."
        written = parse_document(file.read_bytes(), str(file), dict[str, Any], hint)
        try:
            check_trained_with(written["encoder"], config.encoder, where=str(file), command="remora train models")
            config.encoder.check_dimension(written["dimension"])
            spec = SequenceSpec(**(written | {"encoder": config.encoder}))
            encoder = encoder_of(spec)
            encoder.load_state_dict(load_file(folder / ENCODER))
        except (TypeError, KeyError, ValueError, RuntimeError) as error:
            raise UnreadableInput(str(file), f"it does not describe the encoder beside it ({error})", hint) from error
        return cls(items=ItemVectors.load(folder), spec=spec, encoder=encoder.eval())


def _next_items(split: TrainingSplit) -> NextItems | None:
    """The held-out users, and what they wanted next; None without any."""
    from remora.retrieval.training_inputs import NextItems

    held = split.held.chosen(split.judged)
    if not len(held):
        return None
    return NextItems(histories=split.train.chosen(split.judged), targets=held.flat[held.ends[:-1]].astype(np.int64))
