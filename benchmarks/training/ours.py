"""Remora's towers, trained by the platform's own trainer on Ray Train."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.command import Note
from benchmarks.retrieval.hyperparameter_rules import plan_pairs, plan_sequences
from benchmarks.training.data import Split
from benchmarks.training.meter import Round
from benchmarks.training.table import Work

from remora.core.home import Home
from remora.fitting.progress import Report
from remora.fitting.torch_runs import Resources, described
from remora.retrieval.matrix_factorization import PairSpec
from remora.retrieval.training_inputs import (
    NextItems,
    PairInputs,
    PairSchedule,
    PairValidation,
    SequenceInputs,
    SequenceSchedule,
)
from remora.settings.components import LossChoice
from remora.training.fitting import fit_pairs, fit_sequences

JUDGED = 500
"""Users that the trainer validates on after each epoch, outside its clock."""


def matrix_factorization(
    data: Split, work: Work, negatives: int, folder: Path, note: Note
) -> tuple[list[Round], dict[str, np.ndarray]]:
    """Its epochs with so many negatives that a batch shares, and the vectors of users and items."""
    plan = plan_pairs(len(data.train), data.train.items, len(data.train.flat))
    judged = np.flatnonzero(data.held.lengths)[:JUDGED]
    tower, epochs = fit_pairs(
        Home(str(folder)),
        f"pairs-{negatives}",
        PairInputs(
            spec=PairSpec(
                users=len(data.train),
                items=data.train.items,
                dimension=work.dimension,
                temperature=plan.temperature,
            ),
            train=data.train,
            validation=PairValidation(
                users=judged, had=data.train.chosen(judged).matrix(), relevant=data.held.chosen(judged).matrix()
            ),
        ),
        PairSchedule(
            epochs=work.rounds,
            batch_size=work.batch,
            learning_rate=plan.learning_rate,
            loss=LossChoice.model_validate("sampled_softmax"),
            negatives=negatives,
            popularity=0.0,
            patience=work.rounds,
            seconds=None,
            seed=work.seed,
        ),
        Resources(workers=work.workers, threads=work.threads // work.workers),
        on_epoch=lambda epoch: note(described(epoch)),
    )
    return rounds(epochs), {"users": tower.user_vectors(), "items": tower.item_vectors()}


def sequential_tower(data: Split, work: Work, negatives: int | None, folder: Path, note: Note) -> list[Round]:
    """Its epochs with so many negatives that a batch shares; None: the whole catalogue."""
    plan = plan_sequences(data.train)
    learned = np.minimum(data.train.lengths, work.length + 1) - 1
    asked = np.flatnonzero(data.held.lengths)[:JUDGED]
    held = data.held.chosen(asked)
    _, epochs = fit_sequences(
        Home(str(folder)),
        f"sequences-{negatives}",
        SequenceInputs(
            spec=replace(plan.spec, dimension=work.dimension, length=work.length),
            train=data.train,
            validation=NextItems(
                histories=data.train.chosen(asked), targets=held.flat[held.ends[:-1]].astype(np.int64)
            ),
        ),
        SequenceSchedule(
            epochs=work.rounds,
            batch_users=max(1, round(work.batch / learned[learned > 0].mean())),
            learning_rate=plan.learning_rate,
            loss=LossChoice.model_validate("sampled_softmax" if negatives else "full_cross_entropy"),
            negatives=negatives or 0,
            popularity=0.0,
            weight_decay=0.0,
            patience=work.rounds,
            seconds=None,
            seed=work.seed,
        ),
        Resources(workers=work.workers, threads=work.threads // work.workers),
        on_epoch=lambda epoch: note(described(epoch)),
    )
    return rounds(epochs)


def rounds(epochs: tuple[Report, ...]) -> list[Round]:
    """Reports as rounds: an epoch's seconds leave out its validation and its checkpoint."""
    return [_round(epoch, epoch["pace"]) for epoch in epochs]


def _round(epoch: dict[str, Any], seconds: float) -> Round:
    examples = round(epoch["examples_per_second"] * seconds)
    return Round(examples=examples, seconds=seconds, waited=epoch["data_wait"] * seconds, whole=True)
