"""Fitting a calibrator to the margins of held-out candidates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from remora.ranking.calibration import AnyCalibrator, ByHistory, Isotonic, Sigmoid
from remora.ranking.slates import Slates
from remora.settings.ranking import Calibration

Floats = npt.NDArray[np.floating]


FEWEST_SLATES, FEWEST_POSITIVES = 50, 50
"""With fewer of either, users of little history are calibrated as all others are."""


def by_history(kind: Calibration, margins: Floats, judged: Slates, label: Floats, *, few: int) -> AnyCalibrator:
    """From margins (n,) of the candidates of ``judged``, and an objective's ``label`` (n,).

    New users, of fewer than ``few`` positive items, have a calibrator of their own where there are enough of them, and
    of the others.
    """
    every = calibrator(kind, margins, label, judged.counts)
    slate, new = judged.batch.slate, judged.batch.history_lengths < few
    for part in (new, ~new):
        if len(np.unique(slate[part])) < FEWEST_SLATES or np.count_nonzero(label[part]) < FEWEST_POSITIVES:
            return every
    of_new, of_others = (calibrator(kind, margins[p], label[p], judged.counts[p]) for p in (new, ~new))
    return ByHistory(few=few, new_users=of_new, others=of_others)


def calibrator(kind: Calibration, margins: Floats, labels: Floats, counts: Floats) -> Sigmoid | Isotonic:
    """From margins (n,), labels (n,) and what each row counts (n,): 1 / the share that was sampled.

    ``platt`` and ``temperature`` take labels of 0 and 1, ``isotonic`` any amounts. Where all labels are equal there is
    nothing to fit: the answer is their mean for every margin, a little inside 0 and 1.
    """
    margins, labels, counts = (np.asarray(column, np.float64) for column in (margins, labels, counts))
    if not len(labels) or labels.min() == labels.max() or margins.min() == margins.max():
        return _constant(kind, labels, counts)
    if kind == "isotonic":
        return isotonic(margins, labels, counts)
    return _temperature(margins, labels, counts) if kind == "temperature" else _platt(margins, labels, counts)


def isotonic(margins: Floats, labels: Floats, counts: Floats) -> Isotonic:
    """Isotonic regression of ``labels`` on ``margins``, weighted by ``counts`` (all (n,)), joined at block centres."""
    fitted = IsotonicRegression(out_of_bounds="clip").fit_transform(margins, labels, sample_weight=counts)
    values, block = np.unique(fitted, return_inverse=True)
    weight = np.bincount(block, weights=counts)
    centres = np.bincount(block, weights=counts * margins) / weight
    return Isotonic(margins=tuple(centres.tolist()), values=tuple(values.tolist()))


def _platt(margins: Floats, labels: Floats, counts: Floats) -> Sigmoid:
    """Without a penalty; labels are moved a little to the middle, as in Platt's paper, so that the slope is finite."""
    scale = margins.std()
    positive, negative = counts[labels > 0].sum(), counts[labels == 0].sum()
    targets = np.where(labels > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
    # scikit-learn takes no labels between 0 and 1: each row stands for both classes, weighted by its target.
    fitted = LogisticRegression(C=np.inf, max_iter=1_000).fit(
        np.concatenate([margins, margins])[:, None] / scale,
        np.repeat([1, 0], len(margins)),
        sample_weight=np.concatenate([counts * targets, counts * (1 - targets)]),
    )
    slope = float(fitted.coef_[0, 0] / scale)
    if slope <= 0:  # the model is no better than chance: one answer for all
        return _constant("platt", labels, counts)  # type: ignore[return-value]
    return Sigmoid(slope=slope, intercept=float(fitted.intercept_[0]))


def _temperature(margins: Floats, labels: Floats, counts: Floats) -> Sigmoid:
    """The slope alone, for margins that are log odds (C. Guo et al., Calibration of modern neural networks, 2017)."""

    def loss(log_slope: float) -> float:
        # The slope is searched as a logarithm: it stays positive, and with it the order of margins.
        return float(np.average(np.logaddexp(0, np.exp(log_slope) * margins * (1 - 2 * labels)), weights=counts))

    return Sigmoid(slope=float(np.exp(minimize_scalar(loss, bounds=(-10, 10), method="bounded").x)), intercept=0.0)


def _constant(kind: Calibration, labels: Floats, counts: Floats) -> Sigmoid | Isotonic:
    mean = float(np.average(labels, weights=counts)) if len(labels) else 0.0
    if kind == "isotonic":
        return Isotonic(margins=(0.0,), values=(mean,))
    inside = (mean * counts.sum() + 1) / (counts.sum() + 2)
    return Sigmoid(slope=0.0, intercept=float(logit(inside)))
