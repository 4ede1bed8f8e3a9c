"""lethe.analysis.mixture, flows: against scipy on a big grid, closed forms, and the three traps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.special import expit, logit

from lethe.analysis.mixture import closed_forms, drift, figures, flows, kept
from lethe.analysis.mixture.gaussians import learner
from lethe.errors import LetheError

GRID = np.linspace(-12, 20, 3001)


def slow_flow(state, separation, until, alpha=None, replay=0.0):
    """One flow from the definition: gradients are sums over a grid of log densities."""
    h = GRID[1] - GRID[0]

    def bell(mean):
        return np.exp(-((GRID - mean) ** 2) / 2) / np.sqrt(2 * np.pi)

    def slope(_, s):
        beta = expit(s[0])
        old, new = beta * bell(s[1]), (1 - beta) * bell(s[2])
        q = old + new
        scores = np.stack([old / q - beta, old / q * (GRID - s[1]), new / q * (GRID - s[2])])
        if alpha is None:
            data = replay * bell(0) + (1 - replay) * bell(separation)
            return scores @ data * h
        p = alpha * bell(0) + (1 - alpha) * bell(separation)
        return -(scores @ (q * np.log(q / p))) * h

    found = solve_ivp(slope, (0, until), state, method="DOP853", rtol=1e-9, atol=1e-11)
    return found.y[:, -1]


@pytest.mark.parametrize("separation", [1.5, 4.0])
def test_flows_are_those_of_the_definition(separation):
    state = learner(0.8, 0.3, separation - 0.4)
    arms = {
        "sft": (flows.forward_flow(state, separation, [12.0]), {}),
        "replay": (flows.forward_flow(state, separation, [12.0], 0.3), {"replay": 0.3}),
        "rl": (flows.reverse_flow(state, separation, [12.0], 0.6), {"alpha": 0.6}),
    }
    for arm, (flow, options) in arms.items():
        want = slow_flow(state, separation, 12.0, **options)
        assert flow.states[0, -1] == pytest.approx(want, abs=2e-6), arm


def test_a_batch_is_the_same_as_its_flows_alone():
    start = learner([0.2, 0.9, 0.5], [0.0, 0.5, -0.5], [2.0, 3.0, 6.0])
    distance = np.array([2.0, 4.0, 6.0])
    times = np.array([0.0, 3.0, 50.0])
    batch = flows.reverse_flow(start, distance, times, 0.6)
    for k in range(3):
        alone = flows.reverse_flow(start[k], distance[k], times, 0.6)
        assert batch.states[k] == pytest.approx(alone.states[0], abs=3e-6)
    assert batch.states[:, 0] == pytest.approx(start)


@pytest.mark.parametrize("clock", flows.CLOCKS)
def test_without_overlap_the_weight_follows_the_closed_form(clock):
    times = np.array([0.0, 0.1, 0.3] if clock == "euclidean" else [0.0, 1.0, 5.0, 40.0])
    found = flows.forward_flow(learner(0.9, 0.0, 20.0), 20.0, times, clock=clock, rates=flows.FIXED)
    want = closed_forms.mass_without_overlap(0.9, times, clock)
    assert found.beta[0] == pytest.approx(want, rel=1e-5)


def test_sft_with_fixed_components_follows_the_closed_form_far_apart():
    """E2."""
    decay = figures.mass_decay([6.0], np.array([100.0]))
    numeric, closed = decay["beta"]
    assert numeric == pytest.approx(0.0107, abs=5e-5)
    assert closed == pytest.approx(0.0106, abs=5e-5)


def test_the_closed_form_solves_its_own_equation():
    t, beta = (
        np.geomspace(0.01, 1e6, 30),
        closed_forms.mass_without_overlap(0.9, np.geomspace(0.01, 1e6, 30)),
    )
    assert 1 / beta - logit(beta) - (1 / 0.9 - logit(0.9)) == pytest.approx(t, rel=1e-8)
    assert closed_forms.mass_without_overlap(0.9, 10.0, "euclidean") == 0
    assert closed_forms.mass_without_overlap([0.2, 0.9], 0.0) == pytest.approx([0.2, 0.9])


def test_the_tail_with_overlap():
    times = np.array([1e6, 1e8])
    flow = flows.forward_flow(learner(0.5, 0.0, 1.0), 1.0, times, rates=flows.FIXED)
    assert flow.beta[0] == pytest.approx(closed_forms.mass_tail(1.0, times), rel=0.01)


def test_reverse_kl_relaxes_in_the_fisher_clock():
    times = np.array([0.0, 0.5, 2.0, 5.0])
    start = learner(0.05, 0.0, 20.0)
    flow = flows.reverse_flow(start, 20.0, times, 0.6, "fisher", flows.FIXED)
    want = expit(closed_forms.relaxed_logit(0.05, 0.6, times))
    assert flow.beta[0] == pytest.approx(want, abs=1e-6)


def test_the_clock_decides_the_time():
    found = figures.fall_times(4.0, 0.9, 0.01)
    want = {"logit": 126.9, "fisher": 5.12, "euclidean": 0.53, "EM, steps": 2}
    assert found == pytest.approx(want, rel=5e-3)
    start = learner(0.9, 0.0, 4.0)
    for clock in flows.CLOCKS:
        end = flows.forward_flow(start, 4.0, [found[clock]], clock=clock, rates=flows.FIXED)
        assert end.beta[0, -1] == pytest.approx(0.01, rel=1e-4), clock


def test_three_arms_end_where_they_should():
    """E1: RL at the true share, replay at its share, SFT at the floor of a new-mode-only model."""
    end = figures.three_arms([2.0, 3.0, 4.0, 6.0], np.array([200.0])).set_index("arm")
    assert end.loc["RL", "beta"].to_numpy() == pytest.approx(np.full(4, 0.6), abs=1e-3)
    assert end.loc["RL", "overlap"].to_numpy() == pytest.approx(np.ones(4), abs=1e-3)
    shares = end.loc["SFT with replay", "beta"].to_numpy()
    assert shares == pytest.approx([0.307, 0.3, 0.3, 0.3], abs=5e-4)
    floor = kept.overlap_floor([2.0, 3.0, 4.0, 6.0], 0.6)
    assert end.loc["SFT", "overlap"].to_numpy() == pytest.approx(floor, abs=0.01)


def test_local_rates_are_twice_the_smallest_eigenvalue():
    """E5."""
    local = figures.local_rates([2, 3, 4, 6])
    assert local["fitted"].to_numpy() == pytest.approx([0.0620, 0.2397, 0.4122, 0.4778], abs=3e-4)
    assert local["fitted"].to_numpy() == pytest.approx(local["predicted"].to_numpy(), rel=0.02)


def test_trap_1_a_free_old_component_walks_and_the_weight_stalls():
    end = figures.three_arms([1.0, 2.0, 3.0, 4.0, 6.0], np.array([200.0])).query("arm == 'SFT'")
    assert end["beta"].to_numpy() == pytest.approx([0.894, 0.854, 0.616, 0.034, 0.005], abs=6e-4)
    assert end["old_mean"].to_numpy() == pytest.approx([0.98, 1.96, 2.94, 2.95, 0.18], abs=6e-3)
    assert end["old_half"].to_numpy() == pytest.approx(
        [0.309, 0.160, 0.067, 0.026, 0.007], abs=6e-4
    )
    assert end["overlap"].to_numpy() == pytest.approx([0.765, 0.405, 0.172, 0.063, 0.012], abs=6e-4)


def test_trap_1_depends_on_the_clock():
    end = figures.three_arms([2.0, 3.0], np.array([200.0]), clock="fisher").query("arm == 'SFT'")
    assert (end["beta"] < 0.11).all()
    assert end["overlap"].to_numpy() == pytest.approx(kept.overlap_floor([2.0, 3.0], 0.6), abs=3e-3)


def test_trap_2_reverse_kl_stalls_from_a_far_start_but_not_for_ever():
    """E6."""
    found = figures.basins([3.0, 4.0, 6.0], [0.1, 0.3, 0.4, 1.2]).set_index(["separation", "start"])
    stuck = found["kl"] > 0.01
    assert set(stuck[stuck].index) == {(6.0, 0.1), (6.0, 0.3)}
    assert found["kl"][6.0, 0.1] == pytest.approx(-np.log(0.6), abs=0.01)
    later = figures.basins([6.0], [0.3], until=20_000.0)
    assert later["kl"].to_numpy() == pytest.approx([0], abs=1e-8)


def test_trap_3_the_displacement_does_not_give_the_exponent():
    near, times = np.array([3.0, 4.0, 5.0, 6.0]), np.linspace(0.5, 100, 120)
    moving = flows.reverse_flow(learner(np.full(4, 0.75), 0.0, near - 1), near, times, 0.6)
    old = moving.states[..., 1]
    steps = np.diff(old, axis=1)
    assert ((steps.max(1) > 1e-6) & (steps.min(1) < -1e-6)).all(), "the drift turns round"
    assert np.polyfit(near**2, np.log(np.abs(old).max(1)), 1)[0] > -0.11


@settings(deadline=None, max_examples=12)
@given(st.floats(0.5, 8), st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.floats(-1.5, 1.5))
def test_the_displacement_never_exceeds_the_largest_push(separation, beta, alpha, off):
    start = learner(beta, 0.0, separation + off)
    path = flows.reverse_flow(start, separation, np.linspace(0.1, 40, 80), alpha).states
    path = np.concatenate([start[None, None], path], axis=1)
    push = drift.forcing(path, separation, alpha).max()
    assert np.abs(path[..., 1]).max() <= push * (1 + 1e-3) + 1e-7


def test_the_explorer_holds_every_setting_and_the_arms_it_names():
    found = figures.explorer([2, 4], [0.6], [0.0, 0.3], [0.1, 1.0], [0, 50])
    assert len(found) == 2 * 2 * 2 * 2 * 2
    one = found.query("separation == 4 and replay == 0.3 and factor == 1 and t == 50")
    want = figures.three_arms([4.0], np.array([50.0])).set_index("arm")["overlap"]
    assert one["overlap"].tolist() == pytest.approx([want["SFT with replay"], want["RL"]], abs=1e-5)


def test_coinciding_modes_and_held_parameters_stay():
    still = flows.forward_flow(learner(0.7, 0.0, 0.0), 0.0, [5.0])
    assert still.states[0, -1] == pytest.approx(learner(0.7, 0.0, 0.0), abs=1e-9)
    held = flows.reverse_flow(learner(0.7, 0.5, 2.0), 3.0, [5.0], 0.5, rates=(0, 0, 0))
    assert held.states[0, -1] == pytest.approx(learner(0.7, 0.5, 2.0))


@pytest.mark.parametrize("times", [[], [2.0, 1.0], [-1.0, 1.0], [0.0], [np.nan], "soon", [[1.0]]])
def test_times_are_refused(times):
    with pytest.raises(LetheError, match=r"^times"):
        flows.forward_flow(learner(0.5, 0, 2), 2.0, times)


def test_bad_flows_are_refused():
    state = learner(0.5, 0.0, 2.0)
    with pytest.raises(LetheError, match=r"unknown clock 'fischer': did you mean 'fisher'"):
        flows.forward_flow(state, 2.0, [1.0], clock="fischer")
    with pytest.raises(LetheError, match="start is a finite number"):
        flows.forward_flow(state * np.nan, 2.0, [1.0])
    with pytest.raises(LetheError, match="rates is a finite number, 0 or more"):
        flows.reverse_flow(state, 2.0, [1.0], 0.5, rates=(1, -1, 1))
    with pytest.raises(LetheError, match="replay lies between 0 and 1"):
        flows.forward_flow(state, 2.0, [1.0], 1.5)
    with pytest.raises(LetheError, match="alpha lies between 0 and 1, ends excluded"):
        flows.reverse_flow(state, 2.0, [1.0], 1.0)
    with pytest.raises(LetheError, match=r"leaves the finite numbers before time 5"):
        flows.forward_flow(
            learner(0.5, 0.0, 20.0), 20.0, [5.0], clock="euclidean", rates=flows.FIXED
        )


def test_bad_closed_forms_are_refused():
    with pytest.raises(LetheError, match="separation is a finite number above 0"):
        closed_forms.mass_tail(0.0, 1.0)
    with pytest.raises(LetheError, match="times is a finite number, 0 or more"):
        closed_forms.mass_without_overlap(0.5, -1.0)
    with pytest.raises(LetheError, match="beta less end"):
        closed_forms.time_to_fall(2.0, 0.1, 0.5)
    with pytest.raises(LetheError, match="beta lies between 0 and 1, ends excluded"):
        closed_forms.mass_without_overlap(1.0, 1.0)
