"""lethe.analysis.simulate: marginals, dependence and sources of variance are the ones promised."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.analysis import curves, simulate
from lethe.analysis.simulate import PROCESSES, rates_with_variance, simulate_correct
from lethe.errors import LetheError

MANY = 40_000


def drawn(process, rate=0.1, epochs=15, samples=MANY, seed=0, **more):
    """One run [epoch, sample] of many samples with the same rate."""
    rng = np.random.default_rng(seed)
    return simulate_correct(rng, np.full(samples, rate), epochs, process=process, **more)[0]


@pytest.mark.parametrize("process", ["independent", "serial", "permanent_drop"])
def test_the_share_right_follows_the_exponential(process):
    want = np.exp(-0.1 * np.arange(15))
    error = 4.5 * np.sqrt(want * (1 - want) / MANY)
    assert (np.abs(drawn(process).mean(1) - want) <= error).all()


def test_lapse_and_relearn_follows_its_recursion():
    want, forget = [1.0], 1 - np.exp(-0.1)
    for _ in range(14):
        want.append(want[-1] * (1 - forget) + (1 - want[-1]) * 0.4)
    error = 4.5 * np.sqrt(0.25 / MANY)
    assert (np.abs(drawn("lapse_relearn", relearn=0.4).mean(1) - want) <= error).all()


def test_the_shares_after_a_late_start_are_those_of_an_early_one():
    late = drawn("serial", first_learned=np.full(MANY, 5.0))
    assert not late[:5].any()
    assert late[5].all()
    assert np.abs(late[5:].mean(1) - np.exp(-0.1 * np.arange(10))).max() < 4.5 * 0.5 / np.sqrt(MANY)


@pytest.mark.parametrize("correlation", [0.0, 0.4, 0.8])
def test_serial_dependence_is_that_of_the_gaussians(correlation):
    # Two Gaussians with correlation r are both below their medians with chance 1/4 + asin(r)/2pi.
    rate = np.log(2) / 10  # chance 1/2 at t = 10
    right = drawn("serial", rate, 12, correlation=correlation)
    below_at_both = right[10] & (right[11])
    level = np.exp(-rate * 11)
    orthant = 0.25 + np.arcsin(correlation) / (2 * np.pi)
    slack = 0.5 - level  # the second epoch lies a little below its median
    assert orthant - slack - 0.012 < below_at_both.mean() < orthant + 0.012


def test_dependence_fades_with_distance_in_serial_and_is_absent_in_independent():
    flat = np.full(MANY, 0.02)
    rng = np.random.default_rng(1)
    lags = {}
    for process in ("independent", "serial"):
        right = simulate_correct(rng, flat, 60, process=process, correlation=0.8)[0].astype(float)
        lags[process] = [np.corrcoef(right[30], right[30 + lag])[0, 1] for lag in (1, 3, 10)]
    assert np.abs(lags["independent"]).max() < 0.025
    assert lags["serial"][0] > lags["serial"][1] + 0.1 > lags["serial"][2] + 0.2


def test_serial_runs_are_longer_but_no_more_often_wrong():
    def streaks(process):
        wrong = ~drawn(process, 0.05, 40, 4000, correlation=0.9)
        return (wrong[1:] & ~wrong[:-1]).sum(), wrong.mean()

    starts, share = zip(streaks("independent"), streaks("serial"), strict=True)
    assert starts[1] < 0.5 * starts[0]
    assert share[1] == pytest.approx(share[0], rel=0.03)


@pytest.mark.parametrize("process", PROCESSES)
def test_the_same_stream_gives_the_same_traces(process):
    first, same, other = (drawn(process, seed=seed, samples=50) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


@pytest.mark.parametrize("process", PROCESSES)
def test_a_rate_for_every_run(process):
    rng = np.random.default_rng(5)
    rate = np.stack([np.zeros(300), np.full(300, 3.0)])
    right = simulate_correct(rng, rate, 12, process=process, relearn=0.0)
    assert right.shape == (2, 12, 300)
    assert right[0].all()
    assert right[1, 0].all()
    assert right[1, 3:].mean() < 0.01


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(PROCESSES), st.integers(1, 4), st.integers(1, 6), st.integers(1, 5), st.data()
)
def test_every_trace_is_wrong_before_and_right_when_first_learned(
    process, seeds, epochs, samples, data
):
    starts = st.lists(st.sampled_from([0, 1, 2, np.nan]), min_size=samples, max_size=samples)
    first = np.array(data.draw(starts), float)
    rng = np.random.default_rng(0)
    right = simulate_correct(rng, np.full(samples, 0.5), epochs, seeds, process, first)
    assert right.shape == (seeds, epochs, samples)
    assert right.dtype == bool
    for sample, start in enumerate(first):
        if np.isnan(start):
            assert not right[..., sample].any()
        elif start < epochs:
            assert not right[:, : int(start), sample].any()
            assert right[:, int(start), sample].all()


def test_log_rates_have_the_three_sources_of_variance():
    rng = np.random.default_rng(7)
    rate = rates_with_variance(rng, 0.05, 1.0, 0.3, 0.5, 200, 3000)
    log = np.log(rate / 0.05)
    by_sample, by_seed = log.mean(0), log.mean(1)
    rest = log - by_sample - by_seed[:, None] + log.mean()
    assert by_sample.std() == pytest.approx(1.0, rel=0.06)
    assert by_seed.std() == pytest.approx(0.3, rel=0.2)
    assert rest.std() == pytest.approx(0.5, rel=0.02)
    assert np.median(rate) == pytest.approx(0.05, rel=0.15)
    between = np.corrcoef(log[0], log[1])[0, 1]
    assert between == pytest.approx(1 / (1 + 0.25), abs=0.03)


def test_without_variance_all_rates_are_the_median():
    rate = rates_with_variance(np.random.default_rng(0), 0.2, 0, 0, 0, 3, 5)
    np.testing.assert_allclose(rate, 0.2)


def test_known_rates_are_found_again_from_serial_traces():
    # dependence makes a fit noisier, not biased: many runs together give the rate
    rng = np.random.default_rng(9)
    rates = np.array([0.02, 0.1, 0.4])
    right = simulate_correct(rng, rates, 31, 3000, "serial", correlation=0.8)
    pooled = curves.pool_seeds(curves.retention_traces(right)[0])
    fitted = curves.fit_exponential(*pooled, method="bernoulli").rate
    np.testing.assert_allclose(fitted, rates, rtol=0.06)


def test_what_is_wrong_is_named():
    rng = np.random.default_rng(0)
    with pytest.raises(LetheError, match="did you mean 'serial'"):
        simulate_correct(rng, np.ones(3), 5, process="serail")
    for correlation in (-0.1, 1.0, np.nan):
        with pytest.raises(LetheError, match="from 0 to below 1"):
            simulate_correct(rng, np.ones(3), 5, process="serial", correlation=correlation)
    with pytest.raises(LetheError, match="non-negative"):
        simulate_correct(rng, -np.ones(3), 5, process="serial")
    with pytest.raises(LetheError, match="one rate per sample"):
        simulate_correct(rng, np.ones((2, 2, 3)), 5)
    with pytest.raises(LetheError, match="one rate per sample"):
        simulate.resample_correct(np.ones(3), np.zeros((2, 4)), 5, rng)
    for median, sd in ((0, 1), (0.1, -1)):
        with pytest.raises(LetheError, match="median above 0"):
            rates_with_variance(rng, median, sd, 0, 0, 2, 3)
