"""First forgetting, recurrent events and hazard ratios against slow loops and statsmodels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.duration.survfunc import SurvfuncRight

from lethe.analysis import curves, scores
from lethe.analysis.curves import hazard_ratios, survival
from lethe.errors import LetheError

bits = hnp.arrays(bool, st.tuples(st.integers(1, 3), st.integers(1, 8), st.integers(1, 5)))
few = settings(max_examples=40, deadline=None)


def lapses(seed: int, n: int = 300, seeds: int = 6, epochs: int = 21):
    rng = np.random.default_rng(seed)
    rates = np.exp(rng.normal(np.log(0.05), 1.0, n))
    first = rng.integers(0, 6, (seeds, n)).astype(float)
    first[:, 0] = np.nan
    return curves.simulate_correct(rng, rates, epochs, seeds, "lapse_relearn", first)


def slow_first(column):
    """(time, forgot) of one sample by the definition."""
    if not any(column):
        return np.nan, False
    start = list(column).index(True)
    for t, right in enumerate(column[start:]):
        if not right:
            return t, True
    return len(column) - start - 1, False


@few
@given(bits)
def test_first_forgetting_equals_the_definition(correct):
    time, forgot = survival.first_forgetting(correct)
    for seed in range(correct.shape[0]):
        for sample in range(correct.shape[2]):
            want = slow_first(correct[seed, :, sample])
            np.testing.assert_equal((time[seed, sample], bool(forgot[seed, sample])), want)
    np.testing.assert_array_equal(forgot, scores.forgetting_events(correct) > 0)


def test_kaplan_meier_by_hand():
    time, forgot = np.array([1.0, 2, 2, 3, np.nan]), np.array([True, True, False, False, False])
    found = survival.kaplan_meier(time, forgot)
    np.testing.assert_allclose(found.surv_prob, [3 / 4, 3 / 4 * 2 / 3])
    assert found.surv_times.tolist() == [1, 2]


def test_curves_equal_statsmodels():
    times = survival.first_forgetting(lapses(0))
    (found,), _ = survival.survival_curves([times], np.random.default_rng(0), 20)
    known = ~np.isnan(times[0])
    km = SurvfuncRight(times[0][known], times[1][known].astype(int))
    table = found.table.set_index("t")
    np.testing.assert_allclose(table["retained"][km.surv_times], km.surv_prob)
    np.testing.assert_allclose(table["hazard"][km.surv_times], km.n_events / km.n_risk)
    np.testing.assert_array_equal(table["at_risk"][km.surv_times], km.n_risk)
    assert found.half_life[0] == (np.inf if np.isnan(km.quantile(0.5)) else km.quantile(0.5))
    assert table["retained"][0] == 1
    assert found.restricted_mean.estimate == pytest.approx(table["retained"][:-1].sum())
    assert found.half_life[1] <= found.half_life[0] <= found.half_life[2]


def test_weights_of_the_bootstrap_are_repeats():
    rng = np.random.default_rng(1)
    time, forgot = survival.first_forgetting(lapses(1, 40, 3))
    seeds, samples = rng.integers(0, 3, 3), rng.integers(0, 3, 40)
    got = survival._curve(time, forgot, np.outer(seeds, samples), 12)
    again = [np.repeat(np.repeat(x, seeds, 0), samples, 1) for x in (time, forgot)]
    want = survival._curve(*again, np.ones(again[0].shape), 12)
    np.testing.assert_allclose(got, want)


def test_restricted_mean_is_right_where_the_mean_of_the_forgotten_is_not():
    rng = np.random.default_rng(2)
    correct = curves.simulate_correct(rng, np.full(4000, 0.05), 21, 6, "permanent_drop")
    time, forgot = survival.first_forgetting(correct)
    (found,), _ = survival.survival_curves([(time, forgot)], rng, 20)
    truth = np.exp(-0.05 * np.arange(20)).sum()  # mean of min(T, 20) for whole epochs
    assert found.restricted_mean.estimate == pytest.approx(truth, rel=0.01)
    assert time[forgot].mean() < 0.75 * truth


def test_intervals_widen_when_runs_differ():
    rng = np.random.default_rng(3)
    pace = np.exp(rng.normal(0, 0.6, 8))
    rows = [curves.simulate_correct(rng, np.full(500, 0.05 * k), 21)[0] for k in pace]
    alike = curves.simulate_correct(rng, np.full(500, 0.05), 21, 8)
    width = []
    for correct in (np.stack(rows), alike):
        (one,), _ = survival.survival_curves([survival.first_forgetting(correct)], rng, 60)
        width.append((one.table["retained_high"] - one.table["retained_low"])[10])
    assert width[0] > 3 * width[1]


def test_gap_of_two_networks_and_of_two_groups():
    rng = np.random.default_rng(4)
    slow, fast = (curves.simulate_correct(rng, np.full(400, r), 21, 6) for r in (0.02, 0.08))
    times = [survival.first_forgetting(c) for c in (fast, slow)]
    _, gap = survival.survival_curves(times, rng, 40)
    assert gap["retained"].low > 0
    assert gap["restricted_mean"].low > 0
    time, forgot = times[1]
    half = np.arange(400) < 200
    groups = [(np.where(keep, time, np.nan), forgot) for keep in (half, ~half)]
    _, gap = survival.survival_curves(groups, rng, 60, same_runs=True)
    assert gap["retained"].low < 0 < gap["retained"].high
    assert gap["retained"].n_seeds == 6


def test_never_learned_and_broken_times_are_refused():
    nothing = survival.first_forgetting(np.zeros((2, 5, 3), bool))
    with pytest.raises(LetheError, match="no sample was learned"):
        survival.survival_curves([nothing], np.random.default_rng(0), 2)
    with pytest.raises(LetheError, match="negative"):
        survival.kaplan_meier(np.array([-1.0]), np.array([True]))


@pytest.mark.parametrize("correct", [np.ones((1, 2, 2), bool), np.ones((2, 1, 3), bool)])
def test_never_forgotten_keeps_everything(correct):
    times = survival.first_forgetting(correct)
    (found,), _ = survival.survival_curves([times], np.random.default_rng(0), 4)
    assert (found.table["retained"] == 1).all()
    assert found.half_life == (np.inf, np.inf, np.inf)


def slow_mean_events(correct):
    """Events per observed sample at each t, summed up, by loops."""
    traces = curves.retention_traces(correct)[0].reshape(-1, correct.shape[1])
    total, out = 0.0, []
    for t in range(correct.shape[1]):
        seen = ~np.isnan(traces[:, t])
        lost = (traces[:, t - 1] == 1) & (traces[:, t] == 0) if t else np.zeros(len(traces), bool)
        total += lost.sum() / seen.sum() if seen.any() else 0.0
        out.append(total)
    return out


def test_mean_cumulative_events_equal_a_loop():
    correct = lapses(5, 50, 4)
    found = survival.mean_cumulative_events(correct, np.random.default_rng(0), 20)
    np.testing.assert_allclose(found["events"], slow_mean_events(correct), rtol=1e-5)
    assert (found["low"] <= found["events"] + 1e-9).all()
    whole = curves.simulate_correct(
        np.random.default_rng(6), np.full(80, 0.3), 21, 3, "lapse_relearn"
    )
    all_in = survival.mean_cumulative_events(whole, np.random.default_rng(0), 4)
    assert all_in["events"].iloc[-1] == pytest.approx(scores.forgetting_events(whole).mean(), 1e-5)


@few
@given(bits)
def test_right_spells_hold_every_right_epoch_and_every_event(correct):
    table = hazard_ratios.right_spells(correct)
    traces, length = curves.retention_traces(correct)
    events = scores.forgetting_events(correct)
    assert table["forgot"].sum() == np.nansum(events)
    for row in table.itertuples():
        trace = traces[row.seed, row.sample]
        assert (trace[row.start : row.stop] == 1).all()
        assert trace[row.stop] == (0 if row.forgot else 1)
        assert row.start == 0 or trace[row.start - 1] == 0
        assert row.forgot or row.stop == length[row.seed, row.sample] - 1


def hazard_world(seed, effect, n=250, seeds=6):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    rate = np.broadcast_to(0.06 * np.exp(effect * x), (seeds, n))
    forget = -np.expm1(-rate)
    right, state = np.zeros((seeds, 31, n), bool), np.ones((seeds, n), bool)
    for epoch in range(31):
        draw = rng.random(state.shape)
        state = np.where(state, draw >= forget, draw < 0.6) if epoch else state
        right[:, epoch] = state
    return right, x


def test_hazard_ratio_is_found_and_equals_statsmodels():
    right, x = hazard_world(7, 0.5)
    spells = hazard_ratios.right_spells(right)
    found = hazard_ratios.hazard_ratios(spells, {"x": x})["x"]
    model = PHReg(
        spells["stop"],
        x[spells["sample"]][:, None],
        status=spells["forgot"],
        entry=spells["start"],
        ties="efron",
    )
    fit = model.fit(groups=spells["sample"].to_numpy(), disp=False)
    assert found.estimate == pytest.approx(np.exp(fit.params[0]))
    assert found.low < np.exp(0.5) < found.high
    assert found.se >= fit.bse[0] * (1 - 1e-9)
    assert found.n_seeds == 6


def test_hazard_ratio_of_nothing_covers_one():
    inside = []
    for seed in range(8, 20):
        right, _ = hazard_world(seed, 0.5, 80)
        noise = np.random.default_rng(1000 + seed).normal(size=80)
        one = hazard_ratios.hazard_ratios(hazard_ratios.right_spells(right), {"noise": noise})
        inside.append(one["noise"].low < 1 < one["noise"].high)
    assert np.mean(inside) >= 0.8


def test_error_grows_when_the_covariate_belongs_to_the_run():
    right, _ = hazard_world(21, 0.0, 200, 8)
    pace = np.random.default_rng(0).normal(size=8)
    ones = np.ones((8, 200))
    right[pace > 0, 3::4] = False  # whole runs lose every image every fourth epoch
    found = hazard_ratios.hazard_ratios(
        hazard_ratios.right_spells(right),
        {"run": ones * pace[:, None], "image": ones * np.arange(200) / 200},
    )
    assert found["run"].high / found["run"].low > 1.2


def test_covariates_are_checked():
    right, x = hazard_world(22, 0.5, 40, 2)
    spells = hazard_ratios.right_spells(right)
    with pytest.raises(LetheError, match="flat is the same for all samples"):
        hazard_ratios.hazard_ratios(spells, {"x": x, "flat": np.ones(40)})
    with pytest.raises(LetheError, match="no forgetting events"):
        hazard_ratios.hazard_ratios(spells, {"x": np.full(40, np.nan)})
    missing = np.where(np.arange(40) < 20, x, np.nan)
    assert hazard_ratios.hazard_ratios(spells, {"x": missing})["x"].n_samples == 20


def test_one_seed_has_an_estimate_and_no_interval():
    right, x = hazard_world(23, 0.5, 200, 1)
    found = hazard_ratios.hazard_ratios(hazard_ratios.right_spells(right), {"x": x})["x"]
    assert found.estimate > 1
    assert np.isnan(found.low)
    assert not found.can_judge
