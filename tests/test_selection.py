"""Criteria and held-out scores of curves against their formulas, scipy and known worlds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from lethe.analysis import curves
from lethe.analysis.curves import selection
from lethe.errors import LetheError

CURVES = ["constant", "exponential", "power", "extended"]


def world(seed: int, n: int = 200, process: str = "independent", median: float = 0.1):
    rng = np.random.default_rng(seed)
    rates = np.exp(rng.normal(np.log(median), 0.7, n))
    first = rng.integers(0, 8, (1, n)).astype(float)
    correct = curves.simulate_correct(rng, rates, 31, process=process, first_learned=first)
    return curves.retention_traces(correct[0])[0]


def winners(criterion):
    return np.array(CURVES)[np.argmin([criterion[name] for name in CURVES], axis=0)]


def test_gaussian_criteria_equal_their_formulas_and_prefer_the_true_curve():
    rng = np.random.default_rng(13)
    y = np.clip(np.exp(-0.2 * np.arange(31)) + rng.normal(0, 0.02, (200, 31)), 0, 1)
    found = selection.criteria(y)
    assert list(found["aic"]) == list(found["bic"]) == CURVES
    best = winners(found["aic"])
    assert np.mean(best == "exponential") > 0.5
    assert np.isin(best, ["exponential", "extended"]).all()
    assert np.mean(winners(found["bic"]) == "exponential") > np.mean(best == "exponential")
    sse = ((y[0] - y[0].mean()) ** 2).sum()
    assert found["aic"]["constant"][0] == pytest.approx(31 * np.log(sse / 31) + 4)
    assert found["bic"]["constant"][0] == pytest.approx(31 * np.log(sse / 31) + 2 * np.log(31))
    extra = found["bic"]["extended"] - found["aic"]["extended"]
    np.testing.assert_allclose(extra, 4 * (np.log(31) - 2))


def test_bernoulli_criteria_equal_scipys_probabilities():
    traces = world(14, 40)
    found = selection.criteria(traces, likelihood="bernoulli")
    fits = selection.curve_fits(traces, method="bernoulli")
    for name, fit in fits.items():
        heights = curves.predict(fit, 31)
        for i in np.flatnonzero(~np.isnan(found["aic"][name])):
            known = np.flatnonzero(~np.isnan(traces[i]))[1:]
            surprise = -2 * stats.bernoulli.logpmf(traces[i, known], heights[i, known]).sum()
            k = fit.parameters
            assert found["aic"][name][i] == pytest.approx(surprise + 2 * k, abs=1e-6)
            want = surprise + k * np.log(known.size)
            assert found["bic"][name][i] == pytest.approx(want, abs=1e-6)


def test_bernoulli_criteria_find_the_world_that_made_the_traces():
    coins = (np.random.default_rng(16).random((400, 31)) < 0.7).astype(float)
    coins[:, 0] = 1
    flat = [
        np.mean(winners(selection.criteria(traces, likelihood="bernoulli")["aic"]) == "constant")
        for traces in (world(15, 400, median=0.15), coins)
    ]
    assert flat[0] < 0.2
    assert flat[1] > 0.5


def test_weights_count_coins():
    correct = curves.simulate_correct(np.random.default_rng(17), np.full(20, 0.1), 21, seeds=6)
    pooled, weights = curves.pool_seeds(curves.retention_traces(correct)[0])
    found = selection.criteria(pooled, weights, "bernoulli")
    price = found["bic"]["exponential"] - found["aic"]["exponential"]
    np.testing.assert_allclose(price, np.log(weights[:, 1:].sum(1)) - 2)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
def test_nothing_to_compare_is_nan(likelihood):
    nan = np.nan
    traces = np.array([[nan] * 4, [1, 0, nan, nan], [1, 1, 1, 1], [1, 1, 0, 1]])
    for criterion in selection.criteria(traces, likelihood=likelihood).values():
        for values in criterion.values():
            assert np.isnan(values).tolist() == [True, True, True, False]


def test_unknown_likelihood_is_refused():
    with pytest.raises(LetheError, match="did you mean 'bernoulli'"):
        selection.criteria(np.ones((1, 4)), likelihood="bernouli")


def slow_held_out(row, epochs, fitter):
    """One trace: fit what comes before, score what comes after, probabilities clipped."""
    row = row[~np.isnan(row)]
    cut = row.size - epochs
    if cut < 3:
        return np.nan
    heights = curves.predict(fitter(row[None, :cut], method="bernoulli"), row.size)[0, cut:]
    least = 1 / (2 * (cut - 1) + 2)
    return -stats.bernoulli.logpmf(row[cut:], np.clip(heights, least, 1 - least)).mean()


@pytest.mark.parametrize("epochs", [1, 5, 26])
def test_held_out_equals_a_loop(epochs):
    traces = world(18, 30)
    found = selection.held_out(traces, epochs)
    assert list(found) == CURVES
    for name, fitter in zip(CURVES, selection.FITTERS, strict=True):
        want = [slow_held_out(row, epochs, fitter) for row in traces]
        np.testing.assert_allclose(found[name], want, atol=1e-9)
    assert np.isnan(found["constant"]).any() == (epochs == 26)


def test_held_out_rivals_equal_a_loop():
    traces = world(19, 40)
    found = selection.held_out_rivals(traces, 4)
    for row, got in zip(traces, found["last value"], strict=True):
        row = row[~np.isnan(row)]
        if row.size < 7:
            assert np.isnan(got)
            continue
        least = 1 / (2 * (row.size - 5) + 2)
        p = 1 - least if row[-5] == 1 else least
        assert got == pytest.approx(-stats.bernoulli.logpmf(row[-4:], p).mean())


def test_the_true_family_forecasts_best_and_shrinkage_helps_it():
    traces = world(20, 3000, median=0.05)
    loss = selection.held_out(traces, 10) | selection.held_out_rivals(traces, 10)
    mean = {name: np.nanmean(values) for name, values in loss.items()}
    assert mean["exponential"] < min(mean["constant"], mean["last value"], mean["power"])
    assert mean["shrunken"] < mean["exponential"]


def test_a_permanent_loss_is_forecast_best_by_the_last_value():
    traces = world(21, 1000, process="permanent_drop")
    loss = selection.held_out(traces, 5) | selection.held_out_rivals(traces, 5)
    mean = {name: np.nanmean(values) for name, values in loss.items()}
    assert min(mean, key=mean.get) == "last value"


def test_held_out_refuses_nothing_and_keeps_leading_axes():
    traces = world(22, 12)
    stacked = selection.held_out(np.stack([traces, traces[::-1]]), 3)
    np.testing.assert_allclose(stacked["power"][1][::-1], selection.held_out(traces, 3)["power"])
    with pytest.raises(LetheError, match="1 or more"):
        selection.held_out(traces, 0)


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 4))), st.integers(1, 12))
def test_any_trace_gives_a_finite_loss_or_nan(correct, epochs):
    traces, length = curves.retention_traces(correct)
    loss = selection.held_out(traces, epochs) | selection.held_out_rivals(traces, epochs)
    for values in loss.values():
        np.testing.assert_array_equal(np.isfinite(values), length - epochs >= 3)
