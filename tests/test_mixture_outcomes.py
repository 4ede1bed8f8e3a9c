"""lethe.analysis.mixture: replay by draws, the three methods, Chen et al.'s simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from scipy.stats import norm

from lethe.analysis.mixture import chen, discover, gradients, oapl, outcomes, replay, rewards, sdft
from lethe.analysis.mixture.gaussians import learner
from lethe.errors import LetheError


def test_starvation_is_a_count_of_draws():
    rng = np.random.default_rng(3)
    old = rng.random((100_000, 4)) < 0.2 + 0.8 * 0.02
    missing = (~old).all(1)
    error = missing.std() / np.sqrt(len(missing))
    assert replay.starvation(0.02, 4, 0.2) == pytest.approx(missing.mean(), abs=4.5 * error)
    want = [0.92, 0.75, 0.38, 0.06]
    assert replay.starvation(0.02, 4, [0, 0.05, 0.2, 0.5]) == pytest.approx(want, abs=5e-3)
    assert replay.starvation([0.0, 1.0], 3, 0.0) == pytest.approx([1, 0])
    assert replay.starvation(0.0, 3, 1.0) == 0


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_replay_leaves_the_expected_gradient_and_bounds_the_weights(share):
    """E7: the mean of batch gradients is the exact gradient, whatever the share."""
    rng, beta = np.random.default_rng(11), 0.1
    slope, weight = replay.gradient_draws(rng, np.full(60_000, logit(beta)), 4.0, 0.5, share, 4)
    exact = gradients.reverse_gradient(learner(beta, 0.0, 4.0), 4.0, 0.5)[0]
    assert slope.mean() == pytest.approx(exact, abs=4.5 * slope.std() / np.sqrt(len(slope)))
    assert weight.max() <= replay.weight_limit(share) * (1 + 1e-12)
    assert weight.mean() == pytest.approx(1, abs=4.5 * weight.std() / np.sqrt(weight.size))


def test_replay_lowers_noise_and_the_late_tail():
    table, steps = outcomes.replayed(1001, cases=((0.002, 4),), seeds=128, batches=5000)
    assert (np.diff(table["sd"]) < 0).all()
    assert table["sd"].iloc[2] < 0.2 * table["sd"].iloc[0]
    assert (np.diff(table["q90"]) < 0).all()
    assert table["missed"].max() < 0.05
    assert abs(table["median"] / table["median"].iloc[0] - 1).max() < 0.1
    assert (table["largest_weight"] <= replay.weight_limit(table["share"]) * (1 + 1e-12)).all()
    assert set(map(len, steps.values())) == {128}


def test_bad_replay_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(LetheError, match="replay lies between 0 and 1"):
        replay.starvation(0.1, 4, 1.2)
    with pytest.raises(LetheError, match="1 - replay is a finite number above 0"):
        replay.weight_limit(1.0)
    with pytest.raises(LetheError, match="size is a whole number, 2 or more"):
        replay.gradient_draws(rng, [0.0], 4.0, 0.5, 0.1, 1)
    with pytest.raises(LetheError, match="goal less beta"):
        replay.recovery(rng, 0.3, 4.0, 0.5, 0.0, 4, goal=0.2)
    with pytest.raises(LetheError, match="beta lies between 0 and 1, ends excluded"):
        replay.recovery(rng, 0.0, 4.0, 0.5, 0.0, 4)


@pytest.mark.parametrize("gain", [0.2, 1.5, 3.0, 10.0, 1e3])
def test_the_entropic_optimum_is_a_maximum(gain):
    def loss(beta, start=0.5, strength=0.7):
        divergence = beta * np.log(beta / start) + (1 - beta) * np.log((1 - beta) / (1 - start))
        return strength * divergence - np.log(beta + (1 - beta) * gain)

    best = minimize_scalar(
        loss, bounds=(1e-9, 1 - 1e-9), method="bounded", options={"xatol": 1e-12}
    )
    assert discover.kept_entropic(gain, 0.7, 0.5) == pytest.approx(best.x, abs=1e-6)


def test_discover_at_hand_values_and_limits():
    """E8: the floor is respected, strength 0 collapses."""
    gains = [1.5, 3, 10, 1e3, 1e6]
    found = discover.kept_entropic(gains, 1.0, 0.5)
    assert found == pytest.approx([0.405, 0.303, 0.241, 0.218, 0.218], abs=5e-4)
    assert discover.floor(1.0, 0.5) == pytest.approx(0.119, abs=5e-4)
    expected = discover.kept_expected(gains, 1.0, 0.5)
    assert expected == pytest.approx([0.4, 0.25, 0.0909, 0.001, 1e-6], rel=2e-3)
    assert discover.kept_entropic([0.5, 1.0, 2.0], 0.0, 0.3) == pytest.approx([1, 0.3, 0])
    assert discover.kept_expected([0.5, 1.0, 2.0], 0.0, 0.3) == pytest.approx([1, 0.3, 0])
    assert discover.floor(0.0, 0.5) == 0


@settings(deadline=None)
@given(st.floats(0, 9).map(lambda p: 10.0**p), st.floats(0.01, 50), st.floats(0.01, 0.99))
def test_the_floor_is_never_crossed(gain, strength, beta):
    found = discover.kept_entropic(gain, strength, beta)
    assert found <= beta * (1 + 1e-9)
    assert found >= discover.floor(strength, beta) * (1 - 1e-6)


def test_oapl_is_the_tilted_policy_and_its_loss_is_least_there():
    assert oapl.kept_after(1, 1, 0.8, 0.5) == pytest.approx(0.3512, abs=5e-5)
    tilted = 0.8 / (0.8 + 0.2 * np.exp(1 / 0.5))
    assert oapl.kept_after(1, 1, 0.8, 0.5) == pytest.approx(tilted, rel=1e-12)
    assert expit(oapl.optimal_logit(1.0, 0.8, 0.5, 0.5)) == pytest.approx(tilted, abs=1e-6)
    assert oapl.optimal_logit(1.0, 0.8, 1.0, 1e-3) == pytest.approx(-296, abs=0.5)
    assert oapl.kept_after([0, 5], 0.0, 0.8, 0.5) == pytest.approx([0.8, 0.8])
    assert oapl.kept_after([1, 2], -1.0, 0.8, 0.5)[1] > 0.99


@pytest.mark.parametrize(("b1", "b2"), [(1.0, 0.3), (0.2, 1.0), (2.0, 2.0)])
def test_oapl_with_two_temperatures_is_a_grid_search(b1, b2):
    beta = np.linspace(1e-5, 1 - 1e-5, 400_001)
    value = b1 * np.log(0.8 + 0.2 * np.exp(1 / b1))
    loss = 0.8 * (b2 * np.log(beta / 0.8) + value) ** 2
    loss += 0.2 * (b2 * np.log((1 - beta) / 0.2) - (1 - value)) ** 2
    assert expit(oapl.optimal_logit(1.0, 0.8, b1, b2)) == pytest.approx(
        beta[loss.argmin()], abs=1e-5
    )


def test_sdft_returns_to_its_demonstrations_only_if_it_is_pulled():
    found = sdft.slow_eigenvalue(0.24, 0.05, [0, 0.001, 0.01, 0.1])
    assert found == pytest.approx([0, -0.00083, -0.00823, -0.0766], rel=5e-3)
    for anchor in (0.001, 0.1, 1.0):
        values = np.linalg.eigvals(sdft.system(0.24, 0.05, anchor))
        assert sdft.slow_eigenvalue(0.24, 0.05, anchor) == pytest.approx(values.max(), rel=1e-9)
    path = sdft.path([1.0, -0.5], 3.0, [0, 10, 4000], 0.24, 0.05, 0.01)
    assert path[0] == pytest.approx([1.0, -0.5])
    assert path[-1] == pytest.approx([3, 3], abs=1e-9)
    free = sdft.path([1.0, 0.0], 3.0, [0, 5, 500], 0.24, 0.05, 0.0)
    assert free @ [0.05, 0.24] == pytest.approx(np.full(3, 0.05), rel=1e-9)
    with pytest.raises(LetheError, match="anchor is a finite number, 0 or more"):
        sdft.system(0.24, 0.05, -1)


@pytest.mark.parametrize(("slope", "jump"), [(0.0, 1.0), (0.3, 0.0), (0.3, -2.0)])
def test_the_pull_of_a_reward_is_the_gradient_of_its_mean(slope, jump):
    separation, beta, strength = 3.0, 0.4, 0.7

    def mean(m):
        below = quad(lambda y: slope * y * norm.pdf(y, m), m - 12, 1.5)[0]
        return below + (slope * 1.5 + jump) * norm.sf(1.5, m)

    want = beta / strength * (mean(1e-4) - mean(-1e-4)) / 2e-4
    found = rewards.old_mean_pull(separation, beta, strength, jump, slope)
    assert found == pytest.approx(want, rel=1e-6)


def test_only_a_flat_reward_is_gated():
    flat = rewards.old_mean_pull([4, 12], 0.5, 1.0, 1.0, 0.0)
    sloped = rewards.old_mean_pull([4, 12], 0.5, 1.0, 1.0, 0.1)
    assert flat[1] < 1e-7 * flat[0] * 10
    assert sloped[1] == pytest.approx(0.05, rel=1e-6)
    assert rewards.is_gated([0.0, 0.1]).tolist() == [True, False]
    with pytest.raises(LetheError, match="strength is a finite number above 0"):
        rewards.old_mean_pull(3.0, 0.5, 0.0)


def slow_chen(kind, rate, factor, seed):
    """One run of the simulation, one parameter after the other, with scipy's densities."""
    rng, (pi, m1, s1, m2, s2) = np.random.default_rng(seed), chen.START
    for _ in range(chen.STEPS):
        z = rng.standard_normal(chen.DRAWS)
        y = 3.5 + 0.7 * z if kind == "sft" else m2 + s2 * z
        n1, n2 = norm.pdf(y, m1, s1), norm.pdf(y, m2, s2)
        q = pi * n1 + (1 - pi) * n2
        gain = 1.0
        if kind == "rl":
            gain = np.log(norm.pdf(y, 3.5, 0.7) / ((1 - pi) * n2 * 0.1)) * q / ((1 - pi) * n2)
        slow = rate * factor
        steps = (
            slow * np.mean(gain * (n1 - n2) / q),
            slow * np.mean(gain * pi * n1 / q * (y - m1) / s1**2),
            slow * np.mean(gain * pi * n1 / q * ((y - m1) ** 2 / s1**3 - 1 / s1)),
            rate * np.mean(gain * (1 - pi) * n2 / q * (y - m2) / s2**2),
            rate * np.mean(gain * (1 - pi) * n2 / q * ((y - m2) ** 2 / s2**3 - 1 / s2)),
        )
        pi, m1, s1, m2, s2 = np.add((pi, m1, s1, m2, s2), steps)
        if chen.overlaps(np.array([pi, m1, s1, m2, s2]))[1] - 0.03213 >= chen.STOP:
            break
    return pi, chen.overlaps(np.array([pi, m1, s1, m2, s2]))[0]


@pytest.mark.parametrize("arm", ["SFT, rate 0.15", "RL"])
def test_the_simulation_is_that_of_its_description(arm):
    pi, old = slow_chen(*chen.ARMS[arm], chen.FACTOR, 0)
    found = chen.simulate(arm, seeds=2, first_seed=0)
    assert found.weight[0, 0] == pytest.approx(pi, abs=1e-5)  # the offset of densities
    assert chen.overlaps(chen.START)[0] - found.drop[0, 0] == pytest.approx(old, abs=1e-5)


def test_the_simulation_at_hand_values():
    assert chen.overlaps(chen.START) == pytest.approx((0.803, 0.032), abs=5e-4)
    table = outcomes.chen_table((0.005, 0.05, 1.0)).groupby(["arm", "factor"]).mean()
    drops = table["drop"]
    assert drops["SFT, rate 0.15"].to_numpy() == pytest.approx([0.125, 0.716, 0.801], abs=2e-3)
    assert drops["SFT, rate 0.01"][0.005] == pytest.approx(0.021, abs=1e-3)
    assert drops["RL"].to_numpy() == pytest.approx([0.039, 0.226, 0.802], abs=0.06)
    assert table["gain"]["SFT, rate 0.01"][0.005] < 0.5
    assert (table["weight"].xs(1.0, level="factor") < 0.01).all()


def test_a_bad_simulation_is_refused():
    with pytest.raises(
        LetheError, match=r"unknown arm 'SFT, rate 0.1': did you mean 'SFT, rate 0.15'"
    ):
        chen.simulate("SFT, rate 0.1")
    with pytest.raises(LetheError, match="factors is a finite number, 0 or more"):
        chen.simulate("RL", factors=-1)
    with pytest.raises(LetheError, match="seeds is a whole number, 1 or more"):
        chen.simulate("RL", seeds=0)


def test_the_methods_tables():
    found = outcomes.kept_by_discover([0.5, 1.0], (1.5, 10))
    assert found["arm"].nunique() == 4
    synced = outcomes.kept_by_oapl(range(3), (0.0, 1.0))
    assert synced["kept"].iloc[:3].to_numpy() == pytest.approx([0.8] * 3)
    rates = outcomes.sdft_rates([0.0, 0.01])
    assert rates["rate"].iloc[0] == 0
