"""lethe.analysis.flow_theory: closed forms against descent, integrals, draws and hand values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import chi2

from lethe.analysis.flow_theory import (
    MEDIAN_TAU,
    LinearFlow,
    averaging_path,
    best_average,
    covariance,
    early_stopped,
    flow_weight,
    losses,
    vanilla_path,
)
from lethe.errors import LetheError

E = np.array([1.0, 0.0])
GRID = [(rho, tau) for rho in (0.0, 0.3, 0.5, 0.8) for tau in (0.05, MEDIAN_TAU, 2.0, 30.0)]
rhos = st.floats(0, 0.999)
taus = st.floats(-3, 3).map(lambda power: 10.0**power)


def moments_by_integration(rho, tau):
    """E[w x x'] by the trapezoid rule on a fine grid, from the density and the weight alone."""
    z = np.arange(-9, 9.01, 0.06)
    grid = np.stack(np.meshgrid(z, z, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(-np.square(grid).sum(1) / 2)
    x = grid @ np.linalg.cholesky(covariance(rho)).T
    return (x.T * (flow_weight(x, E, tau) * density)) @ x / density.sum()


def descend(moments, step_size, steps):
    """Distances to theta_ft on the gradient 2 M d, one step after another."""
    path = [E]
    for _ in range(steps):
        path.append(path[-1] - step_size * 2 * moments @ path[-1])
    return np.array(path)


def random_pretraining(rng):
    g = rng.standard_normal((2, 2))
    return np.eye(2) + g @ g.T


def test_the_median_temperature_is_that_of_the_losses():
    assert chi2.median(1) == pytest.approx(MEDIAN_TAU, rel=1e-12)
    assert round(MEDIAN_TAU, 4) == 0.4549
    assert LinearFlow(0.5).mu == pytest.approx(0.4305, abs=5e-5)
    drawn = np.random.default_rng(0).multivariate_normal([0, 0], covariance(0.5), 100_000)
    assert (flow_weight(drawn, E, MEDIAN_TAU) > np.exp(-1)).mean() == pytest.approx(0.5, abs=0.007)


@pytest.mark.parametrize(
    ("rho", "b", "stalled", "fast", "halving"),
    [
        (0.0, 0.2275, 0.8147, 0.0000, 3.38),
        (0.5, 0.2966, 0.8284, 0.1899, 3.68),
        (0.8, 0.5218, 0.8766, 0.4595, 5.26),
    ],
)
def test_eigenvalues_at_the_median(rho, b, stalled, fast, halving):
    flow = LinearFlow(rho)
    assert flow.b == pytest.approx(b, abs=5e-5)
    assert flow.eigenvalues == pytest.approx([stalled, fast], abs=5.1e-5)
    assert np.log(0.5) / np.log(flow.eigenvalues[0]) == pytest.approx(halving, abs=5e-3)


@given(rhos, taus)
def test_eigenvalues_and_directions_are_those_of_q(rho, tau):
    flow = LinearFlow(rho, tau)
    by_rows = flow.directions @ flow.q - flow.eigenvalues[:, None] * flow.directions
    assert np.abs(by_rows).max() < 1e-11
    assert np.sort(flow.eigenvalues) == pytest.approx(np.linalg.eigvalsh(flow.q), abs=1e-11)
    assert flow.directions @ flow.directions.T == pytest.approx(np.eye(2), abs=1e-14)


@given(st.floats(0, 0.99), taus)
def test_b_gives_back_tau_and_the_square_of_mu(rho, tau):
    flow, squared = LinearFlow(rho, tau), rho**2
    b = flow.b
    # 1 - b^2 rho^2 loses digits where b rho is near 1, so both sides are multiplied by it.
    assert tau * (1 - (b * rho) ** 2) == pytest.approx(2 * b * (1 - squared), rel=1e-9, abs=1e-11)
    mu_squared = b * (1 - squared) / ((1 + b) * (1 - b * squared))
    assert mu_squared == pytest.approx(flow.mu**2, rel=1e-9)
    assert flow.mu != pytest.approx(mu_squared, rel=1e-4)


@pytest.mark.parametrize(("rho", "tau"), GRID)
def test_the_closed_form_is_gradient_descent_on_the_population(rho, tau):
    flow, moments = LinearFlow(rho, tau), moments_by_integration(rho, tau)
    assert flow.weighted_covariance == pytest.approx(moments, abs=1e-10)
    assert flow.path(7) == pytest.approx(descend(moments, 1 / (2 * flow.mu), 7), abs=1e-9)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_the_weighted_covariance_is_that_of_drawn_inputs(rho):
    rng = np.random.default_rng(3)
    x = rng.multivariate_normal([0, 0], covariance(rho), 300_000)
    w = flow_weight(x, E, MEDIAN_TAU)
    for (i, j), want in np.ndenumerate(LinearFlow(rho).weighted_covariance):
        products = w * x[:, i] * x[:, j]
        assert abs(products.mean() - want) < 4.5 * products.std() / np.sqrt(len(x))
    assert w.mean() == pytest.approx(LinearFlow(rho).mu, abs=4.5 * w.std() / np.sqrt(len(x)))


def test_the_weight_needs_only_the_projection_on_e():
    x, e = np.array([[[1.0, 2.0, 9.0], [0.0, 0.0, -9.0]]]), np.array([2.0, 1.0, 0.0])
    assert flow_weight(x, e, 8.0) == pytest.approx(np.array([[np.exp(-2), 1.0]]))


@pytest.mark.parametrize("step_size", [0.01, 0.5, 0.7])
def test_plain_descent_in_many_dimensions_stays_in_the_plane(step_size):
    basis = np.linalg.qr(np.random.default_rng(4).standard_normal((5, 5)))[0]
    u, v = basis[:, 0], basis[:, 1]
    s, d, inside = np.eye(5) + 0.6 * (np.outer(u, v) + np.outer(v, u)), u, []
    for _ in range(9):
        inside.append([u @ d, v @ d])
        assert np.linalg.norm(basis[:, 2:].T @ d) < 1e-12
        d = d - step_size * 2 * s @ d
    assert vanilla_path(0.6, 8, step_size) == pytest.approx(np.array(inside), abs=1e-12)


def test_plain_descent_at_a_half_shrinks_by_rho_and_diverges_above_its_bound():
    assert np.linalg.norm(vanilla_path(0.5, 6), axis=1) == pytest.approx(0.5 ** np.arange(7))
    length = np.linalg.norm(vanilla_path(0.5, 400, 0.7), axis=1)
    assert length[-1] > 1e10
    assert np.linalg.norm(vanilla_path(0.5, 400, 0.65), axis=1)[-1] < 1e-6


@pytest.mark.parametrize(
    ("step", "err1", "err2", "total"),
    [(1, 0.043, 0.597, 0.640), (3, 0.203, 0.271, 0.474), (8, 0.614, 0.041, 0.655)],
)
def test_losses_along_the_path(step, err1, err2, total):
    found = losses(LinearFlow(0.5).path(8), np.eye(2), 0.5)
    assert [part[step] for part in found] == pytest.approx([err1, err2, total], abs=5.1e-4)


def test_by_forty_steps_all_is_forgotten():
    found = losses(LinearFlow(0.5).path(40), np.eye(2), 0.5)
    assert found.total[40] == pytest.approx(0.999, abs=5e-4)
    assert found.err2[40] < 1e-6
    assert (np.diff(found.err1) > 0).all()


def test_losses_at_both_ends():
    s_pre = np.array([[3.0, 0.5], [0.5, 1.0]])
    start, end = averaging_path([1.0, 0.0])
    found = losses(np.array([start, end]), s_pre, 0.7)
    assert found.err1 == pytest.approx([0, 3])
    assert found.err2 == pytest.approx([1, 0])


def test_the_best_average_is_a_minimum():
    rng = np.random.default_rng(5)
    for _ in range(20):
        s_pre = random_pretraining(rng)
        found = minimize_scalar(lambda w, s=s_pre: losses(averaging_path([w]), s, 0.5).total[0])
        assert best_average(s_pre) == pytest.approx(found.fun, rel=1e-9)
        assert best_average(s_pre) == pytest.approx(found.x, rel=1e-6)


def test_without_correlation_flow_and_plain_training_are_averages():
    path = LinearFlow(0.0).path(12)
    assert path == pytest.approx(averaging_path(LinearFlow(0.0).eigenvalues[0] ** np.arange(13)))
    found = early_stopped(np.array([[2.5, 0.9], [0.9, 1.4]]), 0.0)
    assert found == pytest.approx([found.averaging] * 3, abs=2e-6)


def test_with_correlation_flow_leaves_the_line_of_averages():
    assert np.abs(LinearFlow(0.3).path(12)[1:6, 1]).min() > 0.02


def test_a_small_temperature_stalls_along_the_named_direction():
    flow = LinearFlow(0.6, 1e-4)
    stalled, fast = flow.directions @ flow.path(100)[-1]
    assert flow.eigenvalues[0] > 0.9999
    assert stalled > 0.99
    assert abs(fast) < 1e-6


def test_a_large_temperature_is_plain_training():
    assert LinearFlow(0.5, 1e9).path(9) == pytest.approx(vanilla_path(0.5, 9), abs=1e-8)
    found = early_stopped(np.array([[2.0, 0.4], [0.4, 3.0]]), 0.5, 1e9)
    assert found.flow == pytest.approx(found.vanilla, abs=1e-6)


def test_stopped_totals_are_minima_over_small_steps():
    s_pre, flow = np.array([[2.0, 0.6], [0.6, 1.5]]), LinearFlow(0.5)
    found = early_stopped(s_pre, 0.5)
    plain = losses(vanilla_path(0.5, 3000, 1e-3), s_pre, 0.5).total
    weighted = losses(descend(flow.weighted_covariance, 2e-3, 6000), s_pre, 0.5).total
    assert found.vanilla == pytest.approx(plain.min(), abs=1e-4)
    assert found.flow == pytest.approx(weighted.min(), abs=1e-4)


@pytest.mark.parametrize(
    ("rho", "vanilla", "flow", "below_average"),
    [(0.3, 0.6885, 0.6891, 0.66), (0.5, 0.6741, 0.6738, 0.78), (0.8, 0.6066, 0.6043, 0.84)],
)
def test_early_stopping_does_as_well_as_flow(rho, vanilla, flow, below_average):
    rng = np.random.default_rng(1)
    found = np.array([early_stopped(random_pretraining(rng), rho) for _ in range(300)])
    # Over the prior a total varies by about 0.17: the mean of 300 by 0.01.
    assert found.mean(0) == pytest.approx([vanilla, flow, 0.70], abs=0.02)
    gap = found[:, 1] - found[:, 0]
    assert abs(gap.mean()) < 0.005
    assert 0.4 <= (gap < 0).mean() <= 0.55
    assert (found[:, 1] <= found[:, 2]).mean() == pytest.approx(below_average, abs=0.05)


@pytest.mark.parametrize("scale", [1e-4, 1e-2, 1.0, 1e2, 1e4])
def test_stops_early_and_late_are_found(scale):
    # Without correlation all three arms follow one line and must find the same point on it.
    found = early_stopped(scale * np.eye(2), 0.0)
    assert found == pytest.approx([scale / (scale + 1)] * 3, rel=2e-5)


def test_stopping_is_found_where_scales_are_extreme():
    for rho, tau in [(0.0, 1e-30), (0.5, 1e-18), (1 - 1e-16, 0.4), (0.999999, 1e12)]:
        found = early_stopped(1e4 * np.eye(2), rho, tau)
        assert found.averaging * 0.5 < found.vanilla <= 1
        assert 0 <= found.flow <= 1
    assert LinearFlow(0.5, 1e300).eigenvalues == pytest.approx([0.5, -0.5])
    assert LinearFlow(0.0, 1e-300).eigenvalues == pytest.approx([1, 0])


@pytest.mark.parametrize("rho", [-0.1, 1.0, 2, np.nan, np.inf, "0.5", None, np.array([0.5])])
def test_rho_is_refused(rho):
    calls = [
        lambda: covariance(rho),
        lambda: LinearFlow(rho),
        lambda: vanilla_path(rho, 3),
        lambda: losses(averaging_path([1.0]), np.eye(2), rho),
        lambda: early_stopped(np.eye(2), rho),
    ]
    for call in calls:
        with pytest.raises(LetheError, match=r"^rho is a number in \[0, 1\): got "):
            call()


@pytest.mark.parametrize("value", [0, -1.0, np.nan, np.inf, "1", None])
def test_tau_and_step_size_are_refused(value):
    with pytest.raises(LetheError, match=r"^tau is a finite number above 0: got "):
        LinearFlow(0.5, value)
    with pytest.raises(LetheError, match=r"^tau is"):
        flow_weight(E, E, value)
    with pytest.raises(LetheError, match=r"^tau is"):
        early_stopped(np.eye(2), 0.5, value)
    with pytest.raises(LetheError, match=r"^step_size is a finite number above 0: got "):
        vanilla_path(0.5, 3, value)


@pytest.mark.parametrize("steps", [-1, 2.5, "3", None])
def test_steps_are_refused(steps):
    for call in (LinearFlow(0.5).path, lambda k: vanilla_path(0.5, k)):
        with pytest.raises(LetheError, match=r"^steps is a whole number, 0 or more: got "):
            call(steps)
    assert len(LinearFlow(0.5).path(0)) == 1


@pytest.mark.parametrize(
    "s_pre",
    [
        [[1, 0.5], [0.4, 1]],
        [[1, 2], [2, 1]],
        [[1, 1], [1, 1]],
        np.zeros((2, 2)),
        -np.eye(2),
        np.eye(3),
        [1, 1],
        [[1, 0], [0]],
        [[np.nan, 0], [0, 1]],
        [[np.inf, 0], [0, 1]],
        "identity",
        None,
    ],
)
def test_a_pretraining_covariance_is_refused(s_pre):
    calls = [
        lambda: best_average(s_pre),
        lambda: losses(averaging_path([1.0]), s_pre, 0.5),
        lambda: early_stopped(s_pre, 0.5),
    ]
    for call in calls:
        with pytest.raises(LetheError, match=r"^S_pre is a symmetric positive") as no:
            call()
        assert "\n" not in str(no.value)
