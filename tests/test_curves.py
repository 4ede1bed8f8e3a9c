"""Forgetting curves against slow loops, scipy, closed forms and simulated truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import optimize, stats

from lethe.analysis import curves
from lethe.analysis.curves.bernoulli import log_loss, negative_log_likelihood
from lethe.analysis.curves.shrinkage import expected_retention
from lethe.errors import LetheError

few = settings(max_examples=40, deadline=None)


def slow_retention(column: list[bool]) -> list[float]:
    """The definition for one sample: everything from the first right epoch on."""
    for epoch, right in enumerate(column):
        if right:
            return [float(value) for value in column[epoch:]]
    return []


def mixed_traces(seed: int, n: int = 300, epochs: int = 31) -> np.ndarray:
    """0/1 retention traces of several processes and lengths, NaN after the end."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, epochs - 2, n).astype(float)
    rates = np.exp(rng.uniform(np.log(0.003), np.log(2.0), n))
    parts = [
        curves.simulate_correct(rng, rates, epochs, process=process, first_learned=first[None])
        for process in ("independent", "lapse_relearn", "permanent_drop")
    ]
    return curves.retention_traces(np.concatenate(parts, axis=-1)[0])[0]


def averaged_traces(seed: int, n: int = 200, seeds: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rates = np.exp(rng.uniform(np.log(0.01), np.log(1.0), n))
    first = rng.integers(0, 5, (seeds, n)).astype(float)
    correct = curves.simulate_correct(rng, rates, 31, seeds=seeds, first_learned=first)
    return curves.pool_seeds(curves.retention_traces(correct)[0])


@few
@given(hnp.arrays(bool, st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 6))))
def test_retention_traces_equal_the_definition(correct):
    got, length = curves.retention_traces(correct)
    for seed in range(correct.shape[0]):
        for sample in range(correct.shape[2]):
            want = slow_retention(list(correct[seed, :, sample]))
            assert length[seed, sample] == len(want)
            np.testing.assert_array_equal(got[seed, sample, : len(want)], want)
            assert np.isnan(got[seed, sample, len(want) :]).all()


def test_retention_traces_refuse_a_vector():
    with pytest.raises(LetheError, match="axes"):
        curves.retention_traces(np.ones(5, bool))


def test_running_mean_equals_a_loop():
    traces = mixed_traces(0, 20)
    for window in (1, 3, 5, 40):
        got = curves.running_mean(traces, window)
        for row, smooth in zip(traces, got, strict=True):
            for t in range(row.size):
                want = np.nan if np.isnan(row[t]) else row[max(0, t - window + 1) : t + 1].mean()
                np.testing.assert_allclose(smooth[t], want, atol=1e-12)
    with pytest.raises(LetheError, match="window"):
        curves.running_mean(traces, 0)


@pytest.mark.parametrize("method", ["least_squares", "bernoulli"])
def test_exact_exponential_is_recovered(method):
    rates = np.array([0.0, 0.01, 0.2, 1.5, 4.9])
    exact = np.exp(-rates[:, None] * np.arange(31))
    fit = curves.fit_exponential(exact, method=method)
    np.testing.assert_allclose(fit.rate, rates, atol=1e-7)
    np.testing.assert_allclose(fit.sse, 0, atol=1e-12)
    np.testing.assert_allclose(fit.r2[1:], 1, atol=1e-9)
    np.testing.assert_allclose(curves.predict(fit, 31), exact, atol=1e-6)
    assert fit.constant.tolist() == [True, False, False, False, False]


@pytest.mark.parametrize("kind", ["binary", "averaged", "weighted", "smoothed"])
@pytest.mark.parametrize("curve", ["exponential", "power"])
def test_one_rate_fits_are_global(kind, curve):
    traces, weights = (
        (mixed_traces(1), None) if kind in ("binary", "smoothed") else averaged_traces(1)
    )
    if kind == "smoothed":
        traces = curves.running_mean(traces)
    weights = weights if kind == "weighted" else None
    fit = {"exponential": curves.fit_exponential, "power": curves.fit_power}[curve](traces, weights)
    clock = np.arange(31.0) if curve == "exponential" else np.log1p(np.arange(31.0))
    dense = np.linspace(0, fit.bounds[1], 20001)
    basis = np.exp(-dense[:, None] * clock)
    w = np.where(np.isnan(traces), 0.0, 1.0 if weights is None else weights)
    y = np.nan_to_num(traces)
    brute = (w * y * y).sum(1) + (w @ (basis**2).T - 2 * (w * y) @ basis.T).min(1)
    usable = fit.length > 1
    assert usable.sum() > 150
    assert np.max(fit.sse[usable] - brute[usable]) < 1e-9
    assert np.min(fit.sse[usable] - brute[usable]) > -0.01


def test_exponential_never_worse_than_scipy():
    traces = mixed_traces(2, 60)
    fit = curves.fit_exponential(traces)
    for row, sse, length in zip(traces, fit.sse, fit.length, strict=True):
        if length < 2:
            continue
        y, t = row[:length], np.arange(length)
        for start in (0.02, 0.3, 2.0):
            found, _ = optimize.curve_fit(
                lambda x, rate: np.exp(-rate * x), t, y, p0=start, bounds=(0, 5)
            )
            assert sse <= ((y - np.exp(-found[0] * t)) ** 2).sum() + 1e-9


def test_extended_never_worse_than_scipy_and_inside_the_box():
    traces = np.concatenate([mixed_traces(3, 25), averaged_traces(3, 60)[0]])
    fit = curves.fit_extended(traces)
    low, high = [0, curves.fit_extended(traces[:1]).bounds[0], 0], [1, curves.RATE_MAX, 1]

    def height(x, amplitude, rate, floor):
        return amplitude * np.exp(-rate * x) + floor

    better = 0
    for i in np.flatnonzero(fit.length > 3):
        y, t = traces[i, : fit.length[i]], np.arange(fit.length[i])
        found, _ = optimize.curve_fit(
            height, t, y, p0=(0.6, 0.2, 0.3), bounds=(low, high), max_nfev=2000
        )
        theirs = ((y - height(t, *found)) ** 2).sum()
        assert fit.sse[i] <= theirs + 1e-6
        better += fit.sse[i] < theirs - 1e-6
        ours = ((y - height(t, fit.amplitude[i], fit.rate[i], fit.floor[i])) ** 2).sum()
        assert fit.sse[i] == pytest.approx(ours, abs=1e-9)
    assert better > 0  # scipy stops in a worse valley now and then
    for part in (fit.amplitude, fit.floor):
        inside = part[fit.length > 1]
        assert inside.min() >= 0
        assert inside.max() <= 1


def test_extended_recovers_its_parameters():
    rng = np.random.default_rng(4)
    amplitude, floor = rng.uniform(0.2, 0.6, 50), rng.uniform(0.0, 0.4, 50)
    rate = rng.uniform(0.1, 1.0, 50)
    exact = amplitude[:, None] * np.exp(-rate[:, None] * np.arange(31)) + floor[:, None]
    fit = curves.fit_extended(exact)
    np.testing.assert_allclose(fit.rate, rate, rtol=1e-3)
    np.testing.assert_allclose(fit.amplitude, amplitude, atol=1e-3)
    np.testing.assert_allclose(fit.floor, floor, atol=1e-3)


def test_more_parameters_never_fit_worse():
    traces = mixed_traces(5)
    extended = curves.fit_extended(traces)
    usable = extended.length > 1
    for other in (curves.fit_constant(traces), curves.fit_exponential(traces)):
        slower = usable & ~((other.rate > 0) & (other.rate < 1e-3))
        assert np.all(extended.sse[slower] <= other.sse[slower] + 1e-5)


@pytest.mark.parametrize("weighted", [False, True])
def test_likelihood_rate_equals_scipy(weighted):
    traces, weights = averaged_traces(6, 60) if weighted else (mixed_traces(6, 30), None)
    fit = curves.fit_exponential(traces, weights, method="bernoulli")
    for i in np.flatnonzero(fit.length > 1):
        y, t = traces[i, 1 : fit.length[i]], np.arange(1, fit.length[i])
        w = np.ones(y.size) if weights is None else weights[i, 1 : fit.length[i]]

        def cost(log_rate, y=y, t=t, w=w):
            p = np.exp(-np.exp(log_rate) * t)
            return -(w * (stats.bernoulli.logpmf(1, p) * y + np.log1p(-p) * (1 - y))).sum()

        if y.min() == 1:
            assert fit.rate[i] == 0
            continue
        found = optimize.minimize_scalar(cost, bounds=(-9, np.log(5)), method="bounded")
        assert cost(np.log(fit.rate[i])) <= found.fun + 1e-9


@pytest.mark.parametrize("weighted", [False, True])
def test_likelihood_of_the_power_law_equals_scipy(weighted):
    traces, weights = averaged_traces(6, 40) if weighted else (mixed_traces(6, 20), None)
    fit = curves.fit_power(traces, weights, method="bernoulli")
    for i in np.flatnonzero((fit.length > 1) & (fit.rate > 0)):
        y, w, t = coins(traces, weights, i)
        got, want = (
            minus_log_likelihood(y, w, (1 + t) ** -fit.rate[i]),
            optimize.minimize_scalar(
                lambda x, y=y, w=w, t=t: minus_log_likelihood(y, w, (1 + t) ** -np.exp(x)),
                bounds=(-9, np.log(8)),
                method="bounded",
            ).fun,
        )
        assert got <= want + 1e-9


def coins(traces, weights, i):
    """Answers, weights and t of one trace without its first epoch."""
    known = np.flatnonzero(~np.isnan(traces[i]))[1:]
    w = np.ones(known.size) if weights is None else weights[i, known]
    return traces[i, known], w, known.astype(float)


def minus_log_likelihood(y, w, p):
    p = np.clip(p, 1e-300, 1 - 1e-16)
    return -(w * (y * np.log(p) + (1 - y) * np.log1p(-p))).sum()


def extended_by_scipy(y, w, t, rate=None, starts=6):
    """Lowest minus log-likelihood of A exp(-rate t) + c from several starts."""
    rng = np.random.default_rng(0)

    def cost(x):
        speed = rate if rate is not None else np.exp(x[2])
        return minus_log_likelihood(y, w, x[0] * ((1 - x[1]) * np.exp(-speed * t) + x[1]))

    box = [(1e-9, 1 - 1e-12), (0, 1), (np.log(1e-3), np.log(5))][: 3 if rate is None else 2]
    tries = [
        optimize.minimize(cost, rng.uniform(*np.transpose(box)), bounds=box, method="L-BFGS-B")
        for _ in range(starts)
    ]
    return min(found.fun for found in tries)


def test_extended_likelihood_is_never_worse_than_scipy():
    binary, (pooled, counts) = mixed_traces(3, 15), averaged_traces(3, 30)
    for traces, weights in ((binary, None), (pooled, counts)):
        fit = curves.fit_extended(traces, weights, method="bernoulli")
        some = fit.length > 1
        assert np.all(fit.amplitude[some] >= 0)
        assert np.all(fit.floor[some] >= 0)
        assert np.all(fit.amplitude[some] + fit.floor[some] <= 1 + 1e-12)
        heights = curves.predict(fit, 31)
        for i in np.flatnonzero(fit.length > 3):
            y, w, t = coins(traces, weights, i)
            ours = minus_log_likelihood(y, w, heights[i, t.astype(int)])
            assert ours <= extended_by_scipy(y, w, t) + 1e-6


def test_extended_likelihood_holds_the_constant_and_the_exponential():
    traces = mixed_traces(24, 60)
    y, w = np.nan_to_num(traces), (~np.isnan(traces)).astype(float)
    loss = {
        fitter: log_loss(
            y, w, np.nan_to_num(curves.predict(fitter(traces, method="bernoulli"), 31))
        )
        for fitter in (curves.fit_constant, curves.fit_exponential, curves.fit_extended)
    }
    rate = curves.fit_exponential(traces, method="bernoulli").rate
    inside = (w.sum(1) > 1) & ((rate == 0) | (rate > 1e-3))
    best = loss.pop(curves.fit_extended)[inside]
    for other in loss.values():
        assert np.all(best <= other[inside] + 1e-7)


def test_constant_by_likelihood_leaves_the_first_epoch_out():
    nan = np.nan
    fit = curves.fit_constant(
        np.array([[1, 0, 1, 0, nan], [1, nan, nan, nan, nan]]), None, "bernoulli"
    )
    assert fit.floor[0] == pytest.approx(1 / 3)
    assert np.isnan(fit.floor[1])


@pytest.mark.parametrize("curve", ["power", "extended"])
def test_profile_interval_of_other_curves_ends_where_the_profile_has_dropped(curve):
    traces = mixed_traces(23, 12)
    low, high = curves.profile_interval(traces, curve=curve)
    fitter = {"power": curves.fit_power, "extended": curves.fit_extended}[curve]
    fit = fitter(traces, method="bernoulli")
    bottom, top = fit.bounds
    drop, checked = stats.chi2.ppf(0.95, 1) / 2, 0
    for i in np.flatnonzero(fit.length > 3):
        assert low[i] <= fit.rate[i] * (1 + 1e-9)
        assert fit.rate[i] <= high[i] * (1 + 1e-9)
        y, w, t = coins(traces, None, i)

        def profile(rate, y=y, w=w, t=t):
            if curve == "power":
                return minus_log_likelihood(y, w, (1 + t) ** -rate)
            return extended_by_scipy(y, w, t, rate, 3)

        best = profile(fit.rate[i])
        for end, limit in ((low[i], bottom), (high[i], top)):
            if limit * 0.999 < end < limit * 1.001 or end == 0:
                continue  # the profile has not dropped enough at the bound
            assert profile(end) - best == pytest.approx(drop, abs=1e-4)
            checked += 1
    assert checked > 10


def test_a_trace_without_decay_leaves_the_rate_of_the_extended_curve_open():
    low, high = curves.profile_interval(np.array([[1.0, 0, 1] * 10]), curve="extended")
    assert low[0] == pytest.approx(1e-3)
    assert high[0] == pytest.approx(5)
    with pytest.raises(LetheError, match="no rate in curve 'constant'"):
        curves.profile_interval(np.ones((1, 5)), curve="constant")


def test_flags_say_why_a_rate_is_not_determined():
    nan = np.nan
    traces = np.array(
        [
            [nan, nan, nan, nan, nan],
            [1, 0, nan, nan, nan],
            [1, 1, 1, 1, 1],
            [1, 0, 0, 0, 0],
            [1, 1, 0, 1, 0],
            [1, 0, 0, 1, 1],
        ]
    )
    first = ["too short", "too short", "constant"]
    assert curves.fit_exponential(traces).flag.tolist() == [*first, "at bound", "ok", "ok"]
    extended = curves.fit_extended(traces, method="bernoulli")
    assert extended.flag.tolist()[:3] == first
    assert extended.flag[5] == "no amplitude"  # it rises: any rate would do
    np.testing.assert_array_equal(extended.identifiable, extended.flag == "ok")
    assert curves.fit_constant(traces).flag.tolist() == [*first, "ok", "ok", "ok"]


def test_profile_interval_ends_where_the_likelihood_has_dropped():
    traces = mixed_traces(7, 40)
    fit = curves.fit_exponential(traces, method="bernoulli")
    low, high = curves.profile_interval(traces)
    usable = fit.length > 1
    assert np.isnan(low[~usable]).all()
    assert np.all(low[usable] <= fit.rate[usable])
    assert np.all(fit.rate[usable] <= high[usable])
    y, w = np.nan_to_num(traces), (~np.isnan(traces)).astype(float)
    best = negative_log_likelihood(y, w, np.nan_to_num(fit.rate))
    drop = stats.chi2.ppf(0.95, 1) / 2
    for end, inner in ((low, low > 0), (high, high < curves.RATE_MAX)):
        rows = usable & inner
        assert rows.sum() > 20
        at_end = negative_log_likelihood(y, w, np.nan_to_num(end))
        np.testing.assert_allclose((at_end - best)[rows], drop, atol=1e-6)


def test_profile_interval_of_a_never_forgotten_trace_has_a_closed_form():
    low, high = curves.profile_interval(np.ones((1, 31)))
    assert low[0] == 0
    assert high[0] == pytest.approx(stats.chi2.ppf(0.95, 1) / 2 / np.arange(31).sum(), rel=1e-9)
    with pytest.raises(LetheError, match="level"):
        curves.profile_interval(np.ones((1, 31)), level=95)


@pytest.mark.parametrize(("rate", "least"), [(0.03, 0.93), (0.1, 0.93), (0.4, 0.90)])
def test_profile_interval_covers_the_truth(rate, least):
    # at 0.4 a handful of epochs carry the information, and 0/1 outcomes make the coverage jump
    rng = np.random.default_rng(8)
    correct = curves.simulate_correct(rng, np.full(4000, rate), 31)
    low, high = curves.profile_interval(curves.retention_traces(correct[0])[0])
    covered = np.mean((low <= rate) & (rate <= high))
    assert least < covered < 0.98


def test_shrinkage_lowers_the_error_on_simulated_truth():
    rng = np.random.default_rng(9)
    for spread in (0.5, 1.2):
        rates = np.exp(rng.normal(np.log(0.08), spread, 3000))
        traces = curves.retention_traces(curves.simulate_correct(rng, rates, 31)[0])[0]
        shrunk = curves.shrink(traces)
        errors = {
            "least_squares": curves.fit_exponential(traces).rate,
            "bernoulli": curves.fit_exponential(traces, method="bernoulli").rate,
            "shrunken": shrunk.rate,
        }
        squared = {name: np.mean((rate - rates) ** 2) for name, rate in errors.items()}
        assert squared["shrunken"] < 0.8 * min(squared["bernoulli"], squared["least_squares"])
        assert shrunk.weight.sum() == pytest.approx(1)
        assert shrunk.grid @ shrunk.weight == pytest.approx(rates.mean(), rel=0.2)


def test_shrinkage_improves_its_likelihood_and_equals_a_loop():
    traces = mixed_traces(10, 40)
    early, late = curves.shrink(traces, passes=1), curves.shrink(traces, passes=50)
    assert late.log_likelihood > early.log_likelihood
    posterior = []
    for row in traces[:20]:
        t = np.flatnonzero(~np.isnan(row))[1:]
        if not t.size:
            posterior.append(np.nan)
            continue
        p = np.exp(-late.grid[:, None] * t)
        chance = np.where(row[t] == 1, p, 1 - p).prod(1) * late.weight
        posterior.append(chance @ late.grid / chance.sum())
    np.testing.assert_allclose(late.rate[:20], posterior, rtol=1e-9)


def test_expected_retention_equals_a_loop():
    traces = mixed_traces(25, 30)
    model, got = curves.shrink(traces), expected_retention(traces)
    for row, heights in zip(traces[:20], got, strict=False):
        t = np.flatnonzero(~np.isnan(row))[1:]
        if not t.size:
            assert np.isnan(heights).all()
            continue
        p = np.exp(-model.grid[:, None] * t)
        chance = np.where(row[t] == 1, p, 1 - p).prod(1) * model.weight
        want = (chance / chance.sum()) @ np.exp(-model.grid[:, None] * np.arange(31))
        np.testing.assert_allclose(heights, want, rtol=1e-9)


def test_shrinkage_of_nothing_learned_is_nan():
    assert np.isnan(curves.shrink(np.full((3, 5), np.nan)).rate).all()
    assert np.isnan(expected_retention(np.full((3, 5), np.nan))).all()


def test_pooling_with_weights_is_the_joint_fit():
    rng = np.random.default_rng(11)
    first = rng.integers(0, 6, (4, 30)).astype(float)
    first[0, 0] = np.nan
    correct = curves.simulate_correct(rng, rng.uniform(0.02, 0.5, 30), 20, 4, first_learned=first)
    traces = curves.retention_traces(correct)[0]
    pooled = curves.fit_exponential(*curves.pool_seeds(traces))
    for sample in range(30):
        rows = traces[:, sample]
        found = min(
            (np.nansum((rows - np.exp(-rate * np.arange(20))) ** 2), rate)
            for rate in np.linspace(0, 5, 5001)
        )
        joint = np.nansum((rows - np.exp(-pooled.rate[sample] * np.arange(20))) ** 2)
        assert joint <= found[0] + 1e-9
        assert pooled.rate[sample] == pytest.approx(found[1], abs=2e-3)


def test_rate_is_zero_exactly_when_never_forgotten():
    traces = mixed_traces(12)
    for method in ("least_squares", "bernoulli"):
        fit = curves.fit_exponential(traces, method=method)
        usable = fit.length > 1
        whole = np.nanmin(traces[usable], axis=1) == 1
        np.testing.assert_array_equal(fit.rate[usable] == 0, whole)
        np.testing.assert_array_equal(fit.constant[usable], whole)


def test_short_constant_and_never_learned_traces_are_flagged():
    nan = np.nan
    traces = np.array(
        [
            [nan, nan, nan, nan],
            [1, nan, nan, nan],
            [1, 0, nan, nan],
            [1, 1, 1, 1],
            [1, 0, 0, 0],
        ]
    )
    fit = curves.fit_exponential(traces)
    assert fit.length.tolist() == [0, 1, 2, 4, 4]
    assert fit.too_short.tolist() == [True, True, True, False, False]
    assert fit.constant.tolist() == [False, True, False, True, False]
    assert fit.at_bound.tolist() == [False, False, True, True, True]
    assert np.isnan(fit.rate).tolist() == [True, True, False, False, False]
    assert np.isnan(fit.r2).tolist() == [True, True, True, True, False]
    assert fit.rate[4] == curves.RATE_MAX


def test_r2_conventions_by_hand():
    nan = np.nan
    traces = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 1], [1, 0, nan, nan], [nan] * 4])
    fit = curves.fit_exponential(traces)
    one = 1 - fit.sse[2] / ((traces[2] - traces[2].mean()) ** 2).sum()
    got = curves.r2_conventions(fit)
    assert got["n_fitted"] == 3
    assert got["excluded"] == pytest.approx(one)
    assert got["scored_1"] == pytest.approx((one + 2) / 3)
    assert got["scored_0"] == pytest.approx(one / 3)
    assert got["share_never_forgotten"] == pytest.approx(2 / 3)


def test_r2_conventions_keep_leading_axes_and_allow_all_constant():
    traces = np.ones((2, 3, 5))
    traces[1, 0, 2] = 0
    got = curves.r2_conventions(curves.fit_exponential(traces))
    assert np.isnan(got["excluded"][0])
    assert np.isfinite(got["excluded"][1])
    assert got["scored_1"][0] == 1
    assert got["scored_0"][0] == 0
    np.testing.assert_allclose(got["scored_1"] - got["scored_0"], got["share_never_forgotten"])


def test_half_life():
    np.testing.assert_allclose(curves.half_life(np.array([0.0, np.log(2)])), [np.inf, 1.0])


def test_half_life_of_a_never_forgotten_trace_has_only_a_lower_limit():
    traces = np.ones((2, 31))
    traces[1, 7:] = np.nan
    found = curves.half_life_interval(traces)
    assert found.censored.all()
    assert np.isinf(found.estimate).all()
    assert np.isinf(found.high).all()
    exposure = np.array([np.arange(31).sum(), np.arange(7).sum()])
    np.testing.assert_allclose(np.exp(-np.log(2) / found.low * exposure), 0.05)  # rule of three


def test_half_life_interval_holds_the_estimate_and_flags_extrapolation():
    traces = np.concatenate([mixed_traces(20, 40), np.full((1, 31), np.nan)])
    found = curves.half_life_interval(traces)
    length = (~np.isnan(traces)).sum(1)
    some = length > 1
    assert np.isnan(found.low[~some]).all()
    assert np.isnan(found.estimate[~some]).all()
    assert np.all(found.low[some] <= found.estimate[some])
    assert np.all(found.estimate[some] <= found.high[some])
    np.testing.assert_array_equal(found.extrapolated[some], (found.estimate > length - 1)[some])
    rate = curves.fit_exponential(traces, method="bernoulli").rate
    np.testing.assert_array_equal(found.censored[some], rate[some] == 0)
    pooled, weights = averaged_traces(21, 30)
    joint = curves.half_life_interval(pooled, weights)
    assert np.median(joint.high / joint.low) < np.median((found.high / found.low)[some])


@pytest.mark.parametrize("rate", [0.002, 0.005])
def test_lower_limit_of_the_half_life_covers_under_censoring(rate):
    correct = curves.simulate_correct(np.random.default_rng(22), np.full(4000, rate), 31)
    found = curves.half_life_interval(curves.retention_traces(correct[0])[0])
    assert found.censored.mean() > 0.05
    assert np.mean(found.low <= np.log(2) / rate) > 0.94


def test_resampled_traces_keep_first_learned_and_follow_the_curve():
    rng = np.random.default_rng(15)
    first = np.array([[0.0, 3.0, np.nan], [2.0, 9.0, 0.0]])
    draws = np.stack(
        [curves.resample_correct(np.array([0.1, 0.5, np.nan]), first, 10, rng) for _ in range(4000)]
    )
    assert draws.dtype == bool
    assert draws.shape == (4000, 2, 10, 3)
    mean = draws.mean(0)
    for seed, sample, rate in ((0, 0, 0.1), (0, 1, 0.5), (1, 0, 0.1)):
        start = int(first[seed, sample])
        assert not mean[seed, :start, sample].any()
        want = np.exp(-rate * np.arange(10 - start))
        np.testing.assert_allclose(mean[seed, start:, sample], want, atol=0.03)
    assert not mean[0, :, 2].any()
    assert mean[1, 9, 1] == 1
    assert not mean[1, :9, 1].any()
    with pytest.raises(LetheError, match="one rate per sample"):
        curves.resample_correct(np.array([0.1]), first, 10, rng)


def test_resampling_takes_a_rate_for_every_run():
    rate = np.array([[0.0, 5.0], [5.0, 0.0]])
    drawn = curves.resample_correct(rate, np.zeros((2, 2)), 400, np.random.default_rng(0))
    assert drawn[0, :, 0].all()
    assert drawn[1, :, 1].all()
    assert drawn[0, :, 1].sum() < 4
    assert drawn[1, :, 0].sum() < 4


def test_processes_have_their_signature():
    rng = np.random.default_rng(16)
    rates = np.full(3000, 0.2)
    drop = curves.simulate_correct(rng, rates, 20, process="permanent_drop")[0]
    assert not (~drop[:-1] & drop[1:]).any()
    np.testing.assert_allclose(drop.mean(1), np.exp(-0.2 * np.arange(20)), atol=0.03)
    lapse = curves.simulate_correct(rng, rates, 200, process="lapse_relearn", relearn=0.6)[0]
    forget = 1 - np.exp(-0.2)
    assert lapse[50:].mean() == pytest.approx(0.6 / (0.6 + forget), abs=0.01)
    with pytest.raises(LetheError, match="did you mean 'lapse_relearn'"):
        curves.simulate_correct(rng, rates, 5, process="lapse_relern")
    with pytest.raises(LetheError, match="non-negative"):
        curves.simulate_correct(rng, np.array([-0.1]), 5)
    with pytest.raises(LetheError, match="1 epoch or more"):
        curves.simulate_correct(rng, rates, 0)


def test_r2_depends_on_the_process_not_only_on_the_rate():
    rng = np.random.default_rng(17)
    rates = np.exp(rng.normal(np.log(0.1), 0.5, 1500))
    mean_r2 = {}
    for process in ("lapse_relearn", "permanent_drop"):
        correct = curves.simulate_correct(rng, rates, 31, process=process)[0]
        fit = curves.fit_exponential(curves.retention_traces(correct)[0])
        mean_r2[process] = curves.r2_conventions(fit)["excluded"]
    assert mean_r2["lapse_relearn"] < 0.1 < 0.4 < mean_r2["permanent_drop"]


def test_permuted_epochs_keep_the_counts_and_the_first_epoch():
    traces = mixed_traces(18, 60)
    permuted = curves.permute_epochs(np.random.default_rng(0), traces)
    np.testing.assert_array_equal(np.isnan(permuted), np.isnan(traces))
    np.testing.assert_array_equal(permuted[:, 0], traces[:, 0])
    np.testing.assert_array_equal(np.nansum(permuted, 1), np.nansum(traces, 1))
    assert (np.nan_to_num(permuted) != np.nan_to_num(traces)).any()


def test_leading_axes_and_repeats_do_not_change_a_fit():
    traces = mixed_traces(19, 20)
    stacked = np.stack([traces, traces[::-1]])
    for fitter in (curves.fit_exponential, curves.fit_extended, curves.fit_power):
        one, two = fitter(traces), fitter(stacked)
        np.testing.assert_allclose(two.rate[0], one.rate)
        np.testing.assert_allclose(two.sse[1][::-1], one.sse)


def test_hostile_input_is_refused_in_one_line():
    for bad in (np.full((2, 3), 2.0), np.full((2, 3), -0.5)):
        with pytest.raises(LetheError, match="between 0 and 1"):
            curves.fit_exponential(bad)
    with pytest.raises(LetheError, match="shape"):
        curves.fit_exponential(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(LetheError, match="negative"):
        curves.fit_exponential(np.ones((2, 3)), -np.ones((2, 3)))
    with pytest.raises(LetheError, match="did you mean 'bernoulli'"):
        curves.fit_exponential(np.ones((2, 3)), method="bernouli")


@few
@given(hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 5))))
def test_any_trace_gives_finite_numbers_or_a_flag(correct):
    traces, length = curves.retention_traces(correct)
    for fit in (
        curves.fit_exponential(traces),
        curves.fit_exponential(traces, method="bernoulli"),
        curves.fit_power(traces),
        curves.fit_extended(traces),
        curves.fit_extended(traces, method="bernoulli"),
        curves.fit_constant(traces),
    ):
        assert not np.any(fit.identifiable & (fit.constant | fit.too_short))
        np.testing.assert_array_equal(np.isfinite(fit.rate), length > 1)
        np.testing.assert_array_equal(np.isnan(fit.r2), fit.constant | fit.too_short)
        assert not np.any(fit.r2 > 1 + 1e-12)
