"""lethe.analysis.mixture, numbers without flows: against quadrature, draws and hand values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from lethe.analysis.mixture import drift, figures, geometry, gradients, kept, misassignment
from lethe.analysis.mixture.gaussians import (
    FINE,
    FLOW,
    density,
    learner,
    log_density,
    responsibility,
    target,
)
from lethe.errors import LetheError

shares = st.floats(0.01, 0.99)
separations = st.floats(0.0, 12.0)
QUAD = {"epsabs": 0, "epsrel": 1e-11, "limit": 400}


def old_share(y, beta, m_o, m_n):
    """r_o from two densities, as the definition says."""
    parts = beta * norm.pdf(y, m_o), (1 - beta) * norm.pdf(y, m_n)
    return parts[0] / (parts[0] + parts[1])


def random_states(rng, n):
    return learner(rng.uniform(0.05, 0.95, n), rng.normal(size=n), 3 + rng.normal(size=n))


@pytest.mark.parametrize("rule", [FLOW, FINE])
def test_the_rules_integrate_a_gaussian(rule):
    assert rule.weights.sum() == pytest.approx(1, abs=1e-12)
    for power, moment in ((1, 0), (2, 1), (4, 3), (8, 105)):
        assert rule.weights @ rule.nodes**power == pytest.approx(moment, abs=1e-8)


def test_density_and_responsibility_are_those_of_two_gaussians():
    y = np.linspace(-5, 8, 14)
    state = learner(0.3, -0.5, 2.5)
    want = 0.3 * norm.pdf(y, -0.5) + 0.7 * norm.pdf(y, 2.5)
    assert density(y, state) == pytest.approx(want, rel=1e-12)
    assert responsibility(y, state) == pytest.approx(old_share(y, 0.3, -0.5, 2.5), rel=1e-12)
    assert np.isfinite(log_density(np.array([-1e3, 1e3]), state)).all()


@pytest.mark.parametrize("beta", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("separation", [1.0, 2.0, 3.0, 4.0, 6.0])
def test_misassignment_is_the_integral(separation, beta):
    """E3: the identity to 1e-6, from the definition."""

    def integrand(y):
        return norm.pdf(y) * (1 - old_share(y, beta, 0, separation))

    points = [0, separation / 2, separation]
    want = quad(integrand, -12, 20, points=points, **QUAD)[0]
    assert misassignment.old_to_new(separation, beta) == pytest.approx(want, rel=1e-8)
    assert misassignment.new_to_old(separation, 1 - beta) == pytest.approx(want, rel=1e-8)


def test_misassignment_at_hand_values_and_limits():
    found = misassignment.old_to_new([2, 4, 6], 0.5)
    assert found == pytest.approx([0.2248, 0.03430, 0.002076], rel=3e-4)
    assert misassignment.bound([2, 4, 6], 0.5) == pytest.approx(
        [0.3033, 0.06767, 0.005554], rel=2e-4
    )
    assert misassignment.old_to_new(0.0, [0.2, 0.7]) == pytest.approx([0.8, 0.3])
    assert misassignment.old_to_new(3.0, [0.0, 1.0]) == pytest.approx([1, 0])
    assert misassignment.new_to_old(3.0, [0.0, 1.0]) == pytest.approx([0, 1])
    assert misassignment.bound(3.0, 0.0) == np.inf
    far = misassignment.old_to_new(20.0, 0.5)
    assert far == pytest.approx(np.exp(-50) * np.sqrt(np.pi / 2) / 20, rel=0.01)


def test_misassignment_holds_in_many_dimensions():
    rng = np.random.default_rng(7)
    y = rng.normal(size=(40_000, 20))
    means = np.zeros((2, 20))
    means[1] = 2 / np.sqrt(20)  # a distance of 2 in no direction of the axes
    logs = [-np.square(y - m).sum(1) / 2 for m in means]
    credit = expit(logs[1] - logs[0])
    error = credit.std() / np.sqrt(len(y))
    assert misassignment.old_to_new(2.0, 0.5) == pytest.approx(credit.mean(), abs=4.5 * error)


@settings(deadline=None)
@given(separations, shares)
def test_the_bound_on_misassignment_is_never_crossed(separation, beta):
    exact = misassignment.old_to_new(separation, beta)
    assert 0 <= exact <= misassignment.bound(separation, beta) * (1 + 1e-9)


@pytest.mark.parametrize("replay", [0.0, 0.3, 1.0])
def test_forward_gradients_are_finite_differences(replay):
    states = random_states(np.random.default_rng(1), 6)
    want = differences(lambda s: gradients.forward_kl(s, 3.0, replay), states)
    assert gradients.forward_gradient(states, 3.0, replay) == pytest.approx(want, abs=1e-8)


@pytest.mark.parametrize("alpha", [0.1, 0.6])
def test_reverse_gradients_are_finite_differences(alpha):
    states = random_states(np.random.default_rng(2), 6)
    want = differences(lambda s: gradients.reverse_kl(s, 3.0, alpha), states)
    assert gradients.reverse_gradient(states, 3.0, alpha) == pytest.approx(want, abs=1e-8)


def differences(value, states, step=1e-5):
    """Central differences, [state, 3]."""
    sides = [(value(states + step * e) - value(states - step * e)) for e in np.eye(3)]
    return np.stack(sides, -1) / (2 * step)


def test_divergences_are_integrals():
    q, p = learner(0.3, 0.4, 2.0), target(0.6, 3.0)

    def gap(first, second):
        def integrand(y):
            a, b = (log_density(np.array([y]), s)[0] for s in (first, second))
            return np.exp(a) * (a - b)

        return quad(integrand, -14, 18, **QUAD)[0]

    assert gradients.reverse_kl(q, 3.0, 0.6) == pytest.approx(gap(q, p), rel=1e-9)
    assert gradients.forward_kl(q, 3.0, 0.6) == pytest.approx(gap(p, q), rel=1e-9)
    one_mode = learner(0.5, 0.0, 0.0)  # all mass on the old mode: the new one costs ln(1 / alpha)
    assert gradients.reverse_kl(one_mode, 12.0, 0.6) == pytest.approx(-np.log(0.6), rel=1e-6)
    assert gradients.reverse_kl(p, 3.0, 0.6) == pytest.approx(0, abs=1e-15)


@settings(deadline=None, max_examples=60)
@given(st.floats(0.1, 10.0), shares)
def test_the_weight_falls_under_sft_at_every_separation(separation, beta):
    state = learner(beta, 0.0, separation)
    assert gradients.forward_gradient(state, separation, rule=FINE)[0] > 0


def test_the_gradients_vanish_at_their_optima():
    state = target(0.6, 3.0)
    assert gradients.reverse_gradient(state, 3.0, 0.6) == pytest.approx(np.zeros(3), abs=1e-14)
    replayed = learner(0.3, 0.0, 3.0)
    assert gradients.forward_gradient(replayed, 3.0, 0.3) == pytest.approx(np.zeros(3), abs=1e-12)


def test_drift_exponent_is_that_of_the_overlap():
    """E4: -1/8 for the speed, far apart; SFT is faster; the hand values."""
    speeds = figures.drifts(np.arange(3, 10.5, 0.5))
    whole = speeds.set_index("separation")
    want = [5.69e-2, 2.58e-2, 8.80e-3, 2.29e-3, 4.61e-4, 7.16e-5]
    assert whole["RL"][list(range(3, 9))].to_numpy() == pytest.approx(want, rel=2e-3)
    assert whole["SFT"][[3, 8]].to_numpy() == pytest.approx([2.81e-1, 3.48e-4], rel=2e-3)
    for arm in ("RL", "SFT"):
        assert figures.decay_exponent(speeds, arm, 6) == pytest.approx(-0.125, abs=0.005)
    assert (speeds["SFT"] > speeds["RL"]).all()


@settings(deadline=None, max_examples=80)
@given(separations, shares, shares, st.floats(-2, 14))
def test_the_drift_bound_is_never_crossed(separation, beta, alpha, new_mean):
    speed = abs(drift.reverse_velocity(separation, beta, alpha, new_mean))
    assert speed <= drift.velocity_bound(separation, beta, alpha, new_mean) * (1 + 1e-9) + 1e-15


@settings(deadline=None, max_examples=60)
@given(st.floats(0.0, 8.0), shares, st.floats(-2, 2))
def test_the_targets_pull_is_bounded_wherever_the_old_mean_is(separation, alpha, moved):
    y = moved + FINE.nodes
    pull = (1 - responsibility(y, target(alpha, separation))) @ FINE.weights
    assert pull <= drift.target_pull_bound(separation, alpha, moved) * (1 + 1e-9)


def test_the_hessian_is_that_of_the_divergence():
    """E5: Fisher information against second differences of the KL."""
    for separation in (1.5, 3.0):
        state, step = target(0.6, separation), 1e-4
        sides = [
            gradients.reverse_gradient(state + step * e, separation, 0.6, FINE)
            - gradients.reverse_gradient(state - step * e, separation, 0.6, FINE)
            for e in np.eye(3)
        ]
        want = np.array(sides) / (2 * step)
        assert geometry.hessian(separation, 0.6) == pytest.approx(want, abs=1e-7)


def test_eigenvalues_and_their_limits():
    found = geometry.smallest_eigenvalue([1, 1.5, 2, 3, 4, 6, 8], 0.6)
    want = [0.0013, 0.0092, 0.0310, 0.1199, 0.2061, 0.2389, 0.2400]
    assert found == pytest.approx(want, abs=6e-5)
    far = geometry.hessian(20.0, 0.6)
    assert far == pytest.approx(np.diag([0.24, 0.6, 0.4]), abs=1e-12)
    assert abs(np.linalg.det(geometry.hessian(0.0, 0.6))) < 1e-15


@settings(deadline=None, max_examples=60)
@given(separations, shares)
def test_the_entry_of_the_weight_is_exact_and_its_bound_holds(separation, alpha):
    mass = geometry.shared_mass(separation, alpha)
    entry = geometry.hessian(separation, alpha)[0, 0]
    assert entry == pytest.approx(alpha * (1 - alpha) * (1 - mass), abs=1e-12)
    bound = misassignment.bhattacharyya(separation) / (2 * np.sqrt(alpha * (1 - alpha)))
    assert mass <= bound * (1 + 1e-9)


def test_what_is_kept_is_an_integral():
    state = learner(0.4, 0.7, 2.2)

    def least(y):
        return min(0.6 * norm.pdf(y), 0.4 * norm.pdf(y, 0.7) + 0.6 * norm.pdf(y, 2.2))

    want = quad(least, -10, 12, limit=400, epsabs=1e-10)[0] / 0.6
    assert kept.overlap(state, 0.6) == pytest.approx(want, abs=1e-5)
    assert kept.overlap(target(0.6, 4.0), 0.6) == pytest.approx(1, abs=1e-9)
    assert kept.old_half(state, 3.0) == pytest.approx(
        0.4 * norm.cdf(0.8) + 0.6 * norm.cdf(-0.7), rel=1e-12
    )
    only_new = learner(1e-12, 0.0, 4.0)
    assert kept.overlap(only_new, 0.6) == pytest.approx(kept.overlap_floor(4.0, 0.6), abs=1e-9)
    assert kept.overlap_floor(0.0, 0.6) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, "half", None])
def test_shares_outside_0_to_1_are_refused(value):
    calls = [
        lambda: misassignment.old_to_new(2.0, value),
        lambda: misassignment.bound(2.0, value),
        lambda: gradients.forward_gradient(target(0.5, 2.0), 2.0, value),
        lambda: learner(value, 0.0, 1.0),
        lambda: target(value, 2.0),
        lambda: kept.overlap(target(0.5, 2.0), value),
        lambda: geometry.hessian(2.0, value),
        lambda: drift.velocity_bound(2.0, 0.5, value),
    ]
    for call in calls:
        with pytest.raises(LetheError, match=r"lies between 0 and 1|number"):
            call()


@pytest.mark.parametrize("value", [0, 1, 0.0, 1.0])
def test_a_learner_or_target_of_one_mode_is_refused(value):
    for call in (
        lambda: learner(value, 0, 2),
        lambda: target(value, 2),
        lambda: geometry.hessian(2, value),
    ):
        with pytest.raises(LetheError, match=r"ends excluded: got [01]"):
            call()


@pytest.mark.parametrize("value", [-1, 26, np.nan, np.inf, "far"])
def test_a_separation_out_of_range_is_refused(value):
    calls = [
        lambda: misassignment.bhattacharyya(value),
        lambda: gradients.reverse_gradient(target(0.5, 2.0), value, 0.5),
        lambda: drift.reverse_velocity(value, 0.5, 0.5),
        lambda: geometry.shared_mass(value, 0.5),
        lambda: kept.overlap_floor(value, 0.5),
    ]
    for call in calls:
        with pytest.raises(LetheError, match=r"^separation "):
            call()
