"""Mean R^2 with intervals against direct computation, and model choice against the true process."""

import numpy as np
import pytest

from lethe.analysis import curves, fit_quality
from lethe.errors import LetheError


def two_models(seeds: int = 6, samples: int = 150) -> list[np.ndarray]:
    """Traces [seed, sample, epoch]: the first mostly lapses, the second mostly drops for good."""
    rng = np.random.default_rng(0)
    rates = np.exp(rng.normal(np.log(0.05), 0.7, samples))
    made = []
    for process in ("lapse_relearn", "permanent_drop"):
        correct = curves.simulate_correct(rng, rates, 21, seeds, process)
        correct[:, :, 0] = False
        made.append(curves.retention_traces(correct)[0])
    return made


def test_weights_of_one_equal_the_plain_conventions():
    traces, _ = two_models()
    fit = curves.fit_exponential(traces)
    got = fit_quality.weighted_conventions(fit, np.ones(6), np.ones(150))
    flat = curves.fit_exponential(traces.reshape(-1, 21))
    want = curves.r2_conventions(flat)
    np.testing.assert_allclose(got, [want[name] for name in fit_quality.QUANTITIES])


def test_integer_weights_equal_repetition():
    traces, _ = two_models()
    rng = np.random.default_rng(1)
    seeds, samples = rng.integers(0, 3, 6), rng.integers(0, 3, 150)
    fit = curves.fit_exponential(traces)
    got = fit_quality.weighted_conventions(fit, seeds, samples)
    repeated = traces[np.repeat(np.arange(6), seeds)][:, np.repeat(np.arange(150), samples)]
    again = curves.fit_exponential(repeated)
    ones = [np.ones(size) for size in again.rate.shape]
    np.testing.assert_allclose(got, fit_quality.weighted_conventions(again, *ones))


def test_comparison_finds_the_gap_and_its_sign():
    lapses, drops = two_models()
    rng = np.random.default_rng(2)
    fits = [curves.fit_exponential(traces) for traces in (lapses, drops)]
    found = fit_quality.compare_r2(*fits, rng, draws=60)
    excluded = found["gap"]["excluded"]
    difference = found["b"]["excluded"].estimate - found["a"]["excluded"].estimate
    assert excluded.estimate == pytest.approx(difference)
    assert excluded.low > 0.2
    assert excluded.n_seeds == 6
    same = fit_quality.compare_r2(fits[0], fits[0], rng, draws=60)["gap"]["excluded"]
    assert same.low < 0 < same.high


def test_comparison_of_means_over_seeds_fits_the_pooled_traces():
    lapses, drops = two_models()
    found = fit_quality.compare_r2_over_seeds(lapses, drops, np.random.default_rng(3), draws=20)
    mean, weights = curves.pool_seeds(drops)
    fit = curves.fit_exponential(mean, weights)
    want = curves.r2_conventions(fit)
    for name in fit_quality.QUANTITIES:
        interval = found["b"][name]
        assert interval.estimate == pytest.approx(float(want[name]))
    assert found["gap"]["excluded"].low > 0


def test_matched_gap_compares_traces_that_are_wrong_equally_often():
    lapses, drops = two_models()
    fits = [curves.fit_exponential(traces) for traces in (lapses, drops)]
    wrong = [np.nansum(traces == 0, axis=-1) for traces in (lapses, drops)]
    found = fit_quality.matched_gap(*fits, *wrong, np.random.default_rng(7), draws=40)
    usable = [fit.r2[~np.isnan(fit.r2)] for fit in fits]
    levels = [count[~np.isnan(fit.r2)] for fit, count in zip(fits, wrong, strict=True)]
    total, weights = 0.0, 0.0
    for level in set(levels[0]) & set(levels[1]):
        share = sum(np.mean(of == level) for of in levels)
        means = [r2[of == level].mean() for r2, of in zip(usable, levels, strict=True)]
        total, weights = total + share * (means[1] - means[0]), weights + share
    assert found.estimate == pytest.approx(total / weights)
    same = fit_quality.matched_gap(
        fits[0], fits[0], wrong[0], wrong[0], np.random.default_rng(8), 20
    )
    assert same.estimate == pytest.approx(0, abs=1e-12)


def test_two_way_mean_leaves_nan_out_and_covers():
    rng = np.random.default_rng(4)
    values = rng.normal(1.0, 1.0, (8, 300)) + rng.normal(0, 0.3, (8, 1))
    values[0, :50] = np.nan
    found = fit_quality.two_way_mean(values, rng, draws=200)
    assert found.estimate == pytest.approx(np.nanmean(values))
    assert found.low < 1.0 < found.high
    assert found.se == pytest.approx(np.sqrt(0.09 / 8 + 1 / 2400), rel=0.5)


def test_lowest_shares_ties_and_keeps_nan():
    criterion = {"x": np.array([1.0, 2.0, np.nan]), "y": np.array([1.0, 3.0, 0.0])}
    got = fit_quality.lowest(criterion)
    np.testing.assert_array_equal(got["x"], [0.5, 1.0, np.nan])
    np.testing.assert_array_equal(got["y"], [0.5, 0.0, np.nan])


def test_model_choice_prefers_the_process_that_made_the_traces():
    rng = np.random.default_rng(5)
    t = np.arange(31)
    for curve, exact in (("exponential", np.exp(-0.15 * t)), ("power", (1.0 + t) ** -0.7)):
        noisy = np.clip(exact + rng.normal(0, 0.03, (200, 31)), 0, 1)
        fits = fit_quality.curve_fits(noisy)
        best = fit_quality.lowest({name: curves.aic(fit) for name, fit in fits.items()})
        assert max(best, key=lambda name: best[name].mean()) == curve


def test_steady_lapses_recover_the_process():
    rng = np.random.default_rng(6)
    rates = rng.uniform(0.02, 0.4, 300)
    correct = curves.simulate_correct(rng, rates, 60, 20, "lapse_relearn", relearn=0.5)
    found, relearn = curves.steady_lapses(correct)
    assert relearn == pytest.approx(0.5, abs=0.01)
    assert np.corrcoef(found, rates)[0, 1] > 0.97
    assert found.mean() == pytest.approx(rates.mean(), rel=0.03)
    never, share = curves.steady_lapses(np.zeros((2, 5, 3), bool))
    np.testing.assert_array_equal(never, 0)
    assert share == 0


def correct_of(process: str, samples: int = 400) -> np.ndarray:
    """Bits [seed, epoch, sample] of a process; a tenth of the samples is never learned."""
    rng = np.random.default_rng(5)
    first = np.where(np.arange(samples) % 10 == 0, np.nan, 0.0)
    rate = np.exp(rng.normal(np.log(0.08), 0.8, samples))
    return curves.simulate_correct(rng, rate, 25, 3, process, first)


@pytest.mark.parametrize("world", fit_quality.WORLDS)
def test_a_copy_is_of_the_same_samples_and_starts_right(world):
    correct = correct_of("lapse_relearn")
    real = curves.retention_traces(correct)[0]
    copy = fit_quality.copy_of_world(correct, world, np.random.default_rng(0))
    assert copy.shape == real.shape
    np.testing.assert_array_equal(np.isnan(copy), np.isnan(real))
    assert np.nanmin(copy[..., 0]) == 1
    assert not np.array_equal(copy, real, equal_nan=True)


def test_shuffled_epochs_keep_how_often_a_sample_is_wrong():
    correct = correct_of("permanent_drop")
    copy = fit_quality.copy_of_world(correct, "null", np.random.default_rng(0))
    real = curves.retention_traces(correct)[0]
    np.testing.assert_array_equal((copy == 0).sum(-1), (real == 0).sum(-1))


def test_each_process_is_at_home_in_its_own_world():
    for process, world in (("independent", "ceiling"), ("lapse_relearn", "lapses")):
        correct, rng = correct_of(process), np.random.default_rng(1)
        real = fit_quality.mean_r2(curves.retention_traces(correct)[0])["excluded"]
        away = {w: fit_quality.world_r2(correct, w, rng, 2)["excluded"] for w in ("null", world)}
        assert real == pytest.approx(away[world], abs=0.06)
        assert abs(real - away[world]) < abs(real - away["null"])


def test_means_over_copies_are_means():
    correct = correct_of("lapse_relearn", 100)
    rng = np.random.default_rng(2)
    one = [fit_quality.world_r2(correct, "null", rng) for _ in range(3)]
    three = fit_quality.world_r2(correct, "null", np.random.default_rng(2), 3)
    for name, value in three.items():
        assert value == pytest.approx(np.mean([copy[name] for copy in one]))


def test_an_unknown_world_is_refused():
    with pytest.raises(LetheError, match="unknown world 'nul'; did you mean 'null'"):
        fit_quality.copy_of_world(correct_of("independent", 20), "nul", np.random.default_rng(0))
