"""Forgetting curves fitted to many short traces at once, each a global optimum within its box.

exponential  R(t) = exp(-rate t)              0 <= rate <= 5
power        R(t) = (1 + t)^(-rate)           0 <= rate <= 8
extended     R(t) = A exp(-rate t) + c        0 <= A, c <= 1,  0.001 <= rate <= 5
constant     R(t) = c                         0 <= c <= 1
t counts epochs from the first in which the sample was right. All epochs weigh the same unless told.
By likelihood t = 0 carries no weight (it is right by definition) and A + c <= 1 (a probability).
Cost: at most 0.1 ms per distinct trace of 31 epochs; repeats are free.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lethe.analysis.curves.bernoulli import CLOCKS, EXTENDED_BOX, extended_rows, likelihood_rate
from lethe.analysis.curves.least_squares import box_exponential, decay_rate
from lethe.analysis.curves.trace_rows import as_rows, distinct, lengths, weighted_mean
from lethe.errors import LetheError, nearest

RATE_MAX = CLOCKS["exponential"][1]  # exp(-5) < 0.01: forgotten after one epoch
MIN_LENGTH = 3  # a one-parameter curve runs through two points whatever the process was
MIN_AMPLITUDE = 1e-6  # with less than this no rate makes a difference
METHODS = ("least_squares", "bernoulli")


@dataclass(frozen=True)
class CurveFit:
    """One fitted curve per trace; every array has the leading shape of the traces.

    rate per epoch (power: exponent), NaN if fewer than 2 epochs exist; amplitude and floor are 1
    and 0 where the curve has none; sse and sst are the weighted sums of squares about the curve and
    about the trace's mean; length is the number of epochs in the trace; bounds are the rate's.
    """

    curve: str
    rate: np.ndarray
    amplitude: np.ndarray
    floor: np.ndarray
    sse: np.ndarray
    sst: np.ndarray
    length: np.ndarray
    bounds: tuple[float, float]
    parameters: int

    @property
    def constant(self) -> np.ndarray:
        """Traces without variance; a retention trace starts at 1, so these never forgot."""
        return (self.sst <= 1e-12) & (self.length > 0)

    @property
    def too_short(self) -> np.ndarray:
        """Traces with fewer than 3 epochs, the never learned (0 epochs) among them."""
        return self.length < MIN_LENGTH

    @property
    def at_bound(self) -> np.ndarray:
        """Rates that sit on a bound of the box: the trace did not determine them."""
        low, high = self.bounds
        return (self.rate <= low * (1 + 1e-6)) | (self.rate >= high * (1 - 1e-6))

    @property
    def flag(self) -> np.ndarray:
        """Why a trace does not determine its rate, or "ok"; text [...].

        The first that applies: "too short", "constant" (never forgotten), "no amplitude" (any rate
        would do), "at bound".
        """
        flat = np.nan_to_num(self.amplitude) <= MIN_AMPLITUDE
        reasons = [self.too_short, self.constant, flat & (self.curve == "extended"), self.at_bound]
        return np.select(reasons, ["too short", "constant", "no amplitude", "at bound"], "ok")

    @property
    def identifiable(self) -> np.ndarray:
        """Traces that determine their rate: those whose flag is "ok"."""
        return self.flag == "ok"

    @property
    def r2(self) -> np.ndarray:
        """1 - sse / sst; NaN for constant traces (0/0) and for traces that are too short."""
        undefined = self.constant | self.too_short
        return np.where(undefined, np.nan, 1 - self.sse / np.where(undefined, 1.0, self.sst))


def fit_exponential(
    traces: np.ndarray, weights: np.ndarray | None = None, method: str = "least_squares"
) -> CurveFit:
    """Fit R(t) = exp(-rate t), one parameter, by least squares or Bernoulli likelihood.

    traces [..., epoch] in [0, 1], NaN after the end; weights, same shape, are numbers of seeds;
    returns a CurveFit. Raises LetheError for values outside [0, 1] or an unknown method.
    Source: Ebbinghaus curve, as defined in the book.
    """
    return _fit_decay("exponential", traces, weights, method)


def fit_power(
    traces: np.ndarray, weights: np.ndarray | None = None, method: str = "least_squares"
) -> CurveFit:
    """Fit the power law R(t) = (1 + t)^(-rate); arguments and errors as fit_exponential."""
    return _fit_decay("power", traces, weights, method)


def fit_constant(
    traces: np.ndarray, weights: np.ndarray | None = None, method: str = "least_squares"
) -> CurveFit:
    """Fit R(t) = c, the trace's mean (by likelihood: over t >= 1); as fit_exponential."""
    y, w, shape = as_rows(traces, weights)
    counted = w * (np.arange(y.shape[1]) > 0) if _is_likelihood(method) else w
    zero = np.zeros(len(y))
    unbounded = (-np.inf, np.inf)
    return _assemble("constant", y, w, (zero, zero, weighted_mean(y, counted)), unbounded, shape)


def fit_extended(
    traces: np.ndarray, weights: np.ndarray | None = None, method: str = "least_squares"
) -> CurveFit:
    """Fit R(t) = A exp(-rate t) + c within its box; arguments and errors as fit_exponential.

    Source: variable projection (Golub and Pereyra): for each rate the best A and c are exact.
    """
    y, w, shape = as_rows(traces, weights)
    y_one, w_one, back = distinct(y, w)
    if _is_likelihood(method):
        found = extended_rows(y_one, w_one)[back, :3]
    else:
        found = box_exponential(y_one, w_one, *EXTENDED_BOX)[back]
    return _assemble("extended", y, w, tuple(found.T), EXTENDED_BOX, shape)


def predict(fit: CurveFit, epochs: int) -> np.ndarray:
    """Height of the fitted curves at t = 0 .. epochs - 1; returns [..., epoch]."""
    return _heights(fit.curve, fit.rate, fit.amplitude, fit.floor, epochs)


def _fit_decay(curve: str, traces: np.ndarray, weights: np.ndarray | None, method: str) -> CurveFit:
    y, w, shape = as_rows(traces, weights)
    y_one, w_one, back = distinct(y, w)
    scale, high = CLOCKS[curve]
    if _is_likelihood(method):
        rate = likelihood_rate(y_one, w_one, curve)[back]
    else:
        rate = decay_rate(y_one, w_one, scale(np.arange(y.shape[1], dtype=float)), high)[back]
    parts = (rate, np.ones(len(y)), np.zeros(len(y)))
    return _assemble(curve, y, w, parts, (0.0, high), shape)


def _is_likelihood(method: str) -> bool:
    if method not in METHODS:
        raise LetheError(f"unknown method {method!r}: {nearest(method, METHODS)}")
    return method == "bernoulli"


def _assemble(
    curve: str,
    y: np.ndarray,
    w: np.ndarray,
    parts: tuple,
    bounds: tuple[float, float],
    shape: tuple[int, ...],
) -> CurveFit:
    """Residuals and flags of given parameters; parts are rate, amplitude, floor, each [row]."""
    length = lengths(w)
    rate, amplitude, floor = (np.where(length > 1, part, np.nan) for part in parts)
    residual = y - np.nan_to_num(_heights(curve, rate, amplitude, floor, y.shape[1]))
    sse = np.where(length > 1, (w * residual**2).sum(1), np.nan)
    sst = (w * (y - weighted_mean(y, w)[:, None]) ** 2).sum(1)
    rate, amplitude, floor, sse, sst, length = (
        column.reshape(shape) for column in (rate, amplitude, floor, sse, sst, length)
    )
    parameters = 3 if curve == "extended" else 1
    return CurveFit(curve, rate, amplitude, floor, sse, sst, length, bounds, parameters)


def _heights(
    curve: str, rate: np.ndarray, amplitude: np.ndarray, floor: np.ndarray, epochs: int
) -> np.ndarray:
    clock = np.arange(epochs, dtype=float)
    if curve == "power":
        clock = np.log1p(clock)
    return amplitude[..., None] * np.exp(-rate[..., None] * clock) + floor[..., None]
