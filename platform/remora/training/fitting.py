"""Fitting the sequential tower and the matrix factorization with Ray Train."""

from __future__ import annotations

from collections.abc import Callable

from remora.core.errors import DataError
from remora.core.home import Home
from remora.fitting.progress import Report
from remora.fitting.torch_runs import Resources, fit_module
from remora.retrieval.matrix_factorization import MatrixFactorization
from remora.retrieval.sequential_tower import SequentialTower
from remora.retrieval.training_inputs import PairInputs, PairSchedule, SequenceInputs, SequenceSchedule
from remora.training import matrix_factorization, sequential_tower

NAME = "towers"


def fit_sequences(
    home: Home,
    version: str,
    inputs: SequenceInputs,
    schedule: SequenceSchedule,
    resources: Resources,
    on_epoch: Callable[[Report], None] | None = None,
) -> tuple[SequentialTower, tuple[Report, ...]]:
    """Train until validation stops gaining. The run ``version`` continues where it was interrupted, if it was.

    Inputs without validation are for a tower whose epochs are known by now, such as one that continues with what was
    held out. DataError without anyone who had two items, or with a validation without users.
    """
    if not (inputs.train.lengths > 1).any():
        raise DataError(
            f"None of {len(inputs.train):,} users had two items, so there is no next item to learn. Give more events."
        )
    if inputs.validation is not None and not len(inputs.validation.targets):
        raise DataError("There is no user to validate on: the validation split is empty.")
    tower = SequentialTower(inputs.spec)
    loop, metric = sequential_tower.train_worker, sequential_tower.NDCG if inputs.validation is not None else None
    return tower, fit_module(tower, home, NAME, version, loop, metric, inputs, schedule, resources, on_epoch)


def fit_pairs(
    home: Home,
    version: str,
    inputs: PairInputs,
    schedule: PairSchedule,
    resources: Resources,
    on_epoch: Callable[[Report], None] | None = None,
) -> tuple[MatrixFactorization, tuple[Report, ...]]:
    """As :func:`fit_sequences`, for pairs without order."""
    if not len(inputs.train.flat):
        raise DataError(f"None of {len(inputs.train):,} users had anything to learn from. Give more events.")
    if inputs.validation is not None and not len(inputs.validation.users):
        raise DataError("There is no user to validate on: the validation split is empty.")
    tower = MatrixFactorization(inputs.spec)
    loop = matrix_factorization.train_worker
    metric = matrix_factorization.NDCG if inputs.validation is not None else None
    return tower, fit_module(tower, home, NAME, version, loop, metric, inputs, schedule, resources, on_epoch)
