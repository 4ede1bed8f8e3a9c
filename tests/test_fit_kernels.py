"""Compiled least squares against scipy, a dense grid and a finer one."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize

from lethe.analysis import curves
from lethe.analysis.curves import batch, least_squares

LOW, HIGH = 1e-3, 5.0


def random_traces(seed: int, n: int, seeds: int, epochs: int = 30) -> np.ndarray:
    """Averages of `seeds` 0/1 traces around A exp(-rate t) + c, [trace, epoch]."""
    rng = np.random.default_rng(seed)
    amplitude = rng.uniform(0.3, 0.9, n)
    floor = rng.uniform(0, 1 - amplitude)
    rate = np.exp(rng.uniform(np.log(0.03), np.log(0.8), n))
    chance = amplitude[:, None] * np.exp(-rate[:, None] * np.arange(epochs)) + floor[:, None]
    return rng.binomial(seeds, chance) / seeds


def height(t, amplitude, rate, floor):
    return amplitude * np.exp(-rate * t) + floor


def brute_sse(y: np.ndarray, w: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Lowest sum of squares of each row over a dense grid of rates, by trying the box's parts."""
    t = np.arange(y.shape[1])
    best = np.full(len(y), np.inf)
    total = np.maximum(w.sum(1), 1e-300)
    for rate in rates:
        q = np.exp(-rate * t)
        a_free = np.zeros(len(y))
        mean_y, mean_q = (w * y).sum(1) / total, (w * q).sum(1) / total
        spread = (w * (q - mean_q[:, None]) ** 2).sum(1)
        some = spread > 0
        a_free[some] = (w * (q - mean_q[:, None]) * y).sum(1)[some] / spread[some]
        c_free = mean_y - a_free * mean_q
        inside = (a_free >= 0) & (a_free <= 1) & (c_free >= 0) & (c_free <= 1)
        pairs = [(np.where(inside, a_free, 0), np.where(inside, c_free, 0))]
        pairs += [(a, np.clip(mean_y - a * mean_q, 0, 1)) for a in (0.0, 1.0)]
        divisor = np.maximum((w * q * q).sum(1), 1e-300)
        pairs += [(np.clip((w * q * (y - c)).sum(1) / divisor, 0, 1), c) for c in (0.0, 1.0)]
        for a, c in pairs:
            a, c = np.broadcast_to(a, len(y))[:, None], np.broadcast_to(c, len(y))[:, None]
            best = np.minimum(best, (w * (y - a * q - c) ** 2).sum(1))
    return best


def sse_of(y: np.ndarray, w: np.ndarray, found: np.ndarray) -> np.ndarray:
    rate, amplitude, floor = (part[:, None] for part in found.T)
    return (w * (y - height(np.arange(y.shape[1]), amplitude, rate, floor)) ** 2).sum(1)


@pytest.mark.parametrize("seeds", [1, 20])
def test_extended_is_never_worse_than_scipy(seeds):
    y = random_traces(seeds, 60, seeds)
    fit, t = batch.fit_many(y), np.arange(30)
    for row, sse in zip(y, fit.sse, strict=True):
        box = ([0, LOW, 0], [1, HIGH, 1])
        found, _ = optimize.curve_fit(height, t, row, p0=(0.6, 0.2, 0.3), bounds=box, max_nfev=5000)
        assert sse <= ((row - height(t, *found)) ** 2).sum() + 1e-6


@pytest.mark.parametrize("kind", ["one seed", "average", "noise", "weighted", "gaps"])
def test_extended_is_the_lowest_on_a_dense_grid(kind):
    rng = np.random.default_rng(3)
    y = random_traces(7, 150, 20 if kind == "average" else 1)
    w = np.ones_like(y)
    if kind == "noise":
        y = (rng.random(y.shape) < rng.random((len(y), 1))).astype(float)
    if kind == "weighted":
        w = rng.integers(0, 6, y.shape).astype(float)
    if kind == "gaps":
        w = (rng.random(y.shape) < 0.7).astype(float)
    found = least_squares.box_exponential(y, w, LOW, HIGH)
    dense = brute_sse(y, w, np.geomspace(LOW, HIGH, 1500))
    got = sse_of(y, w, found)
    assert np.max(got - dense) < 1e-9
    assert np.min(got - dense) > -1e-3
    assert found[:, 1:].min() >= 0
    assert found[:, 1:].max() <= 1
    assert found[:, 0].min() >= LOW
    assert found[:, 0].max() <= HIGH


@pytest.mark.parametrize("clock", ["epochs", "logarithm"])
def test_one_rate_is_the_lowest_on_a_dense_grid(clock):
    rng = np.random.default_rng(4)
    clock = np.arange(30.0) if clock == "epochs" else np.log1p(np.arange(30.0))
    y = random_traces(8, 200, 3)
    w = rng.integers(0, 4, y.shape).astype(float)
    got = least_squares.decay_rate(y, w, clock, HIGH)
    basis = np.exp(-np.linspace(0, HIGH, 20001)[:, None] * clock)
    dense = (w * y * y).sum(1) + (w @ (basis**2).T - 2 * (w * y) @ basis.T).min(1)
    sse = (w * (y - np.exp(-got[:, None] * clock)) ** 2).sum(1)
    assert np.max(sse - dense) < 1e-9
    assert np.min(sse - dense) > -1e-3


@pytest.mark.parametrize("seeds", [1, 20])
def test_a_finer_grid_finds_nothing_lower(seeds, monkeypatch):
    y = random_traces(9, 20000, seeds)
    w = np.ones_like(y)
    got = sse_of(y, w, least_squares.box_exponential(y, w, LOW, HIGH))
    monkeypatch.setattr(least_squares, "_GRID", 1000)
    fine = sse_of(y, w, least_squares.box_exponential(y, w, LOW, HIGH))
    assert np.mean(got > fine + 1e-6) <= 1e-4
    assert np.max(got - fine) < 1e-3


def test_a_row_does_not_depend_on_its_company():
    y = np.concatenate([random_traces(5, 40, 1), random_traces(5, 40, 20)])
    w = np.ones_like(y)
    w[::3, 20:] = 0
    together = least_squares.box_exponential(y, w, LOW, HIGH)
    alone = [
        least_squares.box_exponential(y[i : i + 1], w[i : i + 1], LOW, HIGH)[0]
        for i in range(len(y))
    ]
    np.testing.assert_array_equal(together, alone)


def test_weights_scale_without_effect_and_repeat_epochs():
    y = random_traces(6, 50, 4)
    one = curves.fit_extended(y)
    many = curves.fit_extended(y, np.full(y.shape, 7.0))
    np.testing.assert_allclose(many.rate, one.rate, rtol=1e-5)
    np.testing.assert_allclose(many.sse, 7 * one.sse, rtol=1e-9)


def test_traces_without_decay_have_no_amplitude_and_the_slowest_rate():
    rising = np.array([[0.0, 0.5, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    fit = curves.fit_extended(rising)
    np.testing.assert_array_equal(fit.amplitude, 0)
    np.testing.assert_array_equal(fit.rate, LOW)
    np.testing.assert_allclose(fit.floor, rising.mean(1))


@pytest.mark.slow
def test_the_benchmark_writes_its_table(tmp_path):
    script = Path(__file__).resolve().parents[1] / "benchmarks" / "curves.py"
    options = ["--rows", "2000", "--compare", "20", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, str(script), *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    table = (tmp_path / "curves.md").read_text()
    assert "| one seed | extended | 2,000 |" in table
    assert "| captured | power |" in table
    assert "on 0.0000% of 20 traces" in table
