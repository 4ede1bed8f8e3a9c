"""Forgetting curves: retention traces, their fits, and how well a fit may be said to describe them.

Retention trace: `correct` from first_learned on, t = 0, 1, ... epochs; R(0) = 1 by definition.
Forgetting curve: R(t) = exp(-rate * t), rate >= 0 per epoch; half-life ln 2 / rate.
R^2 of a constant trace is 0/0, so a mean R^2 needs a convention: `r2_conventions` gives all three.
The fits are in `curve_models`, `bernoulli` (likelihood, intervals) and `shrinkage`; `selection`
compares curves.
Cost: linear in the number of traces; identical traces are fitted once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lethe.analysis.curves.bernoulli import profile_interval
from lethe.analysis.curves.curve_models import (
    RATE_MAX,
    CurveFit,
    fit_constant,
    fit_exponential,
    fit_extended,
    fit_power,
    predict,
)
from lethe.analysis.curves.shrinkage import Shrunken, shrink
from lethe.analysis.simulate import (
    permute_epochs,
    resample_correct,
    simulate_correct,
    steady_lapses,
)
from lethe.errors import LetheError

__all__ = [
    "RATE_MAX",
    "CurveFit",
    "HalfLife",
    "Shrunken",
    "fit_constant",
    "fit_exponential",
    "fit_extended",
    "fit_power",
    "half_life",
    "half_life_interval",
    "permute_epochs",
    "pool_seeds",
    "predict",
    "profile_interval",
    "r2_conventions",
    "resample_correct",
    "retention_traces",
    "running_mean",
    "shrink",
    "simulate_correct",
    "steady_lapses",
]


def retention_traces(correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut each sample's trace to the part from the first epoch in which it was right.

    correct bool [..., epoch, sample]; returns (traces float [..., sample, epoch] with NaN after the
    end, length int [..., sample], 0 where never learned).
    Raises LetheError if `correct` has fewer than two axes. Source: the book, page
    "Forgetting curves".
    """
    correct = np.asarray(correct)
    if correct.ndim < 2:
        raise LetheError("correct must have axes [..., epoch, sample]")
    rows = np.swapaxes(correct.astype(bool), -1, -2)
    epochs = rows.shape[-1]
    learned = rows.any(-1)
    first = np.where(learned, rows.argmax(-1), epochs)
    source = first[..., None] + np.arange(epochs)
    traces = np.take_along_axis(rows, np.minimum(source, epochs - 1), axis=-1).astype(float)
    traces[source >= epochs] = np.nan
    return traces, epochs - first


def running_mean(traces: np.ndarray, window: int = 5) -> np.ndarray:
    """Average each trace over its last `window` epochs, t included (fewer at the start).

    traces [..., epoch] with NaN after the end, kept; returns the same shape.
    Raises LetheError if window < 1.
    """
    if window < 1:
        raise LetheError(f"window is {window}: give the number of epochs to average, at least 1")
    total = np.cumsum(np.nan_to_num(traces), axis=-1)
    total[..., window:] = total[..., window:] - total[..., :-window].copy()
    count = np.minimum(np.arange(1, traces.shape[-1] + 1), window)
    return np.where(np.isnan(traces), np.nan, total / count)


def pool_seeds(traces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average the retention traces of each sample over seeds, each aligned at its first_learned.

    traces [seed, sample, epoch]; returns (mean [sample, epoch], NaN where no seed reaches t, and
    the number of seeds that do, [sample, epoch], to be used as weights). With these weights the
    least-squares or likelihood rate is the one that fits all seeds' traces jointly.
    """
    present = ~np.isnan(traces)
    weights = present.sum(0).astype(float)
    total = np.nansum(traces, axis=0)
    mean = np.divide(total, weights, out=np.full(total.shape, np.nan), where=weights > 0)
    return mean, weights


def half_life(rate: np.ndarray) -> np.ndarray:
    """Epochs after which the curve has fallen to one half: ln 2 / rate; infinite for rate 0."""
    with np.errstate(divide="ignore"):
        return np.log(2.0) / np.asarray(rate, float)


@dataclass(frozen=True)
class HalfLife:
    """Half-lives in epochs with their interval, each [...].

    Where `censored` (never forgotten) the trace only gives a lower limit: estimate and high are
    infinite. Where `extrapolated` the estimate lies beyond the last epoch of the trace.
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    censored: np.ndarray
    extrapolated: np.ndarray


def half_life_interval(
    traces: np.ndarray, weights: np.ndarray | None = None, level: float = 0.95
) -> HalfLife:
    """Half-life of the exponential by likelihood, with the interval of `profile_interval`.

    traces [..., epoch], weights and errors as there; NaN below 2 epochs. A trace that ends right
    after T = sum of t epochs without a lapse has chance exp(-rate T), so its lower limit is
    ln 2 T / -ln(1 - level): the "rule of three" (Hanley and Lippman-Hand 1983).
    """
    fit = fit_exponential(traces, weights, method="bernoulli")
    low_rate, high_rate = profile_interval(traces, weights, level)
    weight = ~np.isnan(traces) if weights is None else np.nan_to_num(weights) * ~np.isnan(traces)
    exposure = (weight * np.arange(np.shape(traces)[-1])).sum(-1)
    censored = fit.rate == 0
    low = np.where(censored, np.log(2) * exposure / -np.log1p(-level), half_life(high_rate))
    estimate = half_life(fit.rate)
    beyond = estimate > fit.length - 1
    return HalfLife(estimate, low, half_life(low_rate), censored, beyond)


def r2_conventions(fit: CurveFit) -> dict[str, np.ndarray]:
    """Mean R^2 over samples under each treatment of constant traces, and the share of those.

    fit has arrays [..., sample]; returns for each leading index: `excluded` (constant traces left
    out), `scored_1`, `scored_0`, `share_never_forgotten` (constant traces among the fitted ones)
    and `n_fitted`. Traces that are too short or never learned enter none of them.
    With share s: scored_1 = (1 - s) * excluded + s and scored_0 = (1 - s) * excluded.
    """
    fitted = ~fit.too_short
    flat = fit.constant & fitted
    n_fitted, n_flat = fitted.sum(-1), flat.sum(-1)
    total = np.where(fitted & ~flat, np.nan_to_num(fit.r2), 0.0).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "excluded": total / (n_fitted - n_flat),
            "scored_1": (total + n_flat) / n_fitted,
            "scored_0": total / n_fitted,
            "share_never_forgotten": n_flat / n_fitted,
            "n_fitted": n_fitted,
        }
