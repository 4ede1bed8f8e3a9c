"""Which curve describes a trace: information criteria, and forecasts of epochs not yet seen.

Gaussian likelihood: AIC = n ln(SSE / n) + 2 (k + 1), n epochs, k parameters and the error variance.
Bernoulli likelihood: AIC = -2 ln L + 2 k over t >= 1, where n counts coins. BIC charges ln(n)
instead of 2 for each parameter. Lower is better; a trace that never fell compares nothing: NaN.
Held out: the curve is fitted to the first epochs of a trace by likelihood and scored by the mean
log loss of the last ones, with probabilities clipped to [1 / (2 n + 2), 1 - 1 / (2 n + 2)]: who has
seen n coins, all alike, can say no more of the next (Krichevsky and Trofimov 1981).
Cost: one fit of each curve.
"""

from __future__ import annotations

import numpy as np

from lethe.analysis.curves.bernoulli import log_loss
from lethe.analysis.curves.curve_models import (
    MIN_LENGTH,
    CurveFit,
    fit_constant,
    fit_exponential,
    fit_extended,
    fit_power,
    predict,
)
from lethe.analysis.curves.shrinkage import expected_retention
from lethe.analysis.curves.trace_rows import as_rows
from lethe.errors import LetheError, nearest

FITTERS = (fit_constant, fit_exponential, fit_power, fit_extended)
LIKELIHOODS = {
    "gaussian": "least_squares",
    "bernoulli": "bernoulli",
}  # and the fit that goes with it


def curve_fits(
    traces: np.ndarray, weights: np.ndarray | None = None, method: str = "least_squares"
) -> dict[str, CurveFit]:
    """Fit all four curves to the same traces [..., epoch]; arguments as fit_exponential."""
    fits = [fitter(traces, weights, method) for fitter in FITTERS]
    return {fit.curve: fit for fit in fits}


def criteria(
    traces: np.ndarray, weights: np.ndarray | None = None, likelihood: str = "gaussian"
) -> dict[str, dict[str, np.ndarray]]:
    """AIC and BIC of all four curves: {"aic": {curve: [...]}, "bic": {curve: [...]}}.

    traces [..., epoch], weights as fit_exponential; NaN for traces that never fell or have fewer
    than 3 epochs. Raises LetheError for a likelihood other than gaussian and bernoulli.
    """
    if likelihood not in LIKELIHOODS:
        raise LetheError(f"unknown likelihood {likelihood!r}: {nearest(likelihood, LIKELIHOODS)}")
    fits = curve_fits(traces, weights, LIKELIHOODS[likelihood])
    y, w, _ = as_rows(traces, weights)
    misfit = _gaussian if likelihood == "gaussian" else _bernoulli
    found: dict[str, dict[str, np.ndarray]] = {"aic": {}, "bic": {}}
    for name, fit in fits.items():
        twice, n, parameters = misfit(fit, y, w)
        empty = fit.constant | fit.too_short
        for criterion, price in (("aic", 2.0), ("bic", np.log(np.where(empty, 1, n)))):
            found[criterion][name] = np.where(empty, np.nan, twice + price * parameters)
    return found


def held_out(traces: np.ndarray, epochs: int) -> dict[str, np.ndarray]:
    """Log loss of the last `epochs` epochs under each curve fitted to the epochs before, [...].

    traces [..., epoch], NaN after the end; NaN where fewer than 3 epochs remain for the fit.
    Raises LetheError for epochs < 1.
    """
    seen, future = _cut(traces, epochs)
    fits = curve_fits(seen, method="bernoulli")
    return {name: _scored(future, seen, predict(f, seen.shape[-1])) for name, f in fits.items()}


def held_out_rivals(traces: np.ndarray, epochs: int) -> dict[str, np.ndarray]:
    """As held_out for two forecasts without a curve of their own.

    "last value": as at the last epoch seen. "shrunken": the posterior mean of exponentials whose
    rates have the distribution of all traces given (see `shrinkage`).
    """
    seen, future = _cut(traces, epochs)
    last = np.maximum((~np.isnan(seen)).sum(-1) - 1, 0)[..., None]
    stays = np.broadcast_to(np.take_along_axis(seen, last, -1), seen.shape)
    forecasts = {"last value": stays, "shrunken": expected_retention(seen)}
    return {name: _scored(future, seen, heights) for name, heights in forecasts.items()}


def _gaussian(fit: CurveFit, y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Minus twice the log-likelihood (without constants), observations, parameters charged for."""
    n = np.maximum(fit.length, 1)
    return n * np.log(np.maximum(np.nan_to_num(fit.sse), 1e-12) / n), n, fit.parameters + 1


def _bernoulli(fit: CurveFit, y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    heights = np.nan_to_num(predict(fit, y.shape[1])).reshape(y.shape)
    coins = w[:, 1:].sum(1).reshape(fit.rate.shape)
    twice = 2 * log_loss(y, w, heights).reshape(fit.rate.shape)
    return twice, np.maximum(coins, 1), fit.parameters


def _cut(traces: np.ndarray, epochs: int) -> tuple[np.ndarray, np.ndarray]:
    """The traces up to the cut and from it on, NaN elsewhere; all NaN where too little remains."""
    if epochs < 1:
        raise LetheError(f"{epochs} epochs held out: give 1 or more")
    traces = np.atleast_1d(np.asarray(traces, float))
    cut = (~np.isnan(traces)).sum(-1, keepdims=True) - epochs
    before = np.arange(traces.shape[-1]) < cut
    possible = cut >= MIN_LENGTH
    seen = np.where(before & possible, traces, np.nan)
    return seen, np.where(~before & possible, traces, np.nan)


def _scored(future: np.ndarray, seen: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Mean log loss of the future [..., epoch] under clipped heights; NaN without a future."""
    coins = np.maximum((~np.isnan(seen)).sum(-1, keepdims=True) - 1, 0)
    least = 1 / (2 * coins + 2)
    p = np.clip(heights, least, 1 - least)
    loss = -(future * np.log(p) + (1 - future) * np.log1p(-p))
    number = (~np.isnan(future)).sum(-1)
    return np.where(number > 0, np.nansum(loss, -1) / np.maximum(number, 1), np.nan)
