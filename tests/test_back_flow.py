"""Back-flow: the data-processing inequality, a closed form, the statistics, the study's arms."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lethe.analysis import back_flow as analysis
from lethe.analysis import heavy_ball
from lethe.analysis.divergence import DIVERGENCES
from lethe.capture.interventions import snapshot
from lethe.capture.interventions.invariants import InvariantError
from lethe.errors import LetheError
from lethe.experiments import back_flow as study

COUNT = st.integers(0, 2**32 - 1)


@given(COUNT, st.sampled_from(study.DISTANCES))
@settings(deadline=None)
def test_a_channel_on_predictions_never_increases_a_distance(seed, name):
    """What the test rests on: D_BF <= 0 if B is one stochastic matrix on the predictions."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(2, 6)
    p, q = rng.dirichlet(np.full(classes, rng.uniform(0.1, 2)), (2, 7))
    channel = rng.dirichlet(np.full(classes, 0.5), classes)
    before, after = DIVERGENCES[name](p, q), DIVERGENCES[name](p @ channel, q @ channel)
    assert after <= before + 1e-12


def by_torch(steps, rate, momentum, first, second, arm):
    """The toy, trained by torch from a random state."""
    ends = []
    for target in (0.3, 1.3):
        theta = nn.Parameter(torch.tensor(0.7, dtype=torch.float64))
        optimizer = torch.optim.SGD([theta], rate, momentum)
        optimizer.state[theta]["momentum_buffer"] = torch.tensor(-0.4, dtype=torch.float64)
        places = []
        for curvature, aim in ((first, target), (second, -2.0)):
            if places and arm == "break":
                optimizer.state.clear()
            if places and arm == "same memory":
                optimizer.state[theta]["momentum_buffer"] = torch.tensor(0.9, dtype=torch.float64)
            for _ in range(steps):
                optimizer.zero_grad()
                (curvature * (theta - aim) ** 2 / 2).backward()
                optimizer.step()
            places.append(theta.item())
        ends.append(places)
    return np.abs(np.subtract(*ends))


@given(
    st.integers(1, 8),
    st.floats(0.001, 0.3),
    st.sampled_from([0.0, 0.5, 0.9, 0.99]),
    st.floats(0.1, 2),
    st.floats(-2, 2),
    st.sampled_from(study.ARMS),
)
@settings(deadline=None, max_examples=60)
def test_the_closed_form_is_what_torch_does(steps, rate, momentum, first, second, arm):
    found = heavy_ball.branches(steps, rate, momentum, first, second, broken=arm != "carry")
    wanted = by_torch(steps, rate, momentum, first, second, arm)
    assert tuple(found) == pytest.approx(tuple(wanted), rel=1e-9, abs=1e-12)


def test_memory_brings_back_on_a_convex_loss_and_expansion_without_memory_on_a_concave_one():
    known = {"steps": 6, "rate": 0.03}
    assert heavy_ball.branches(**known, momentum=0.9).back_flow > 0
    assert heavy_ball.branches(**known, momentum=0.9, broken=True).back_flow < 0
    assert heavy_ball.branches(**known, momentum=0.0).back_flow < 0
    assert heavy_ball.branches(**known, momentum=0.0, second=-1.0).back_flow > 0  # no memory at all
    same = [heavy_ball.branches(**known, momentum=0.0, broken=b) for b in (False, True)]
    assert same[0] == same[1]
    one = heavy_ball.branches(1, 0.1, 0.5, 2.0, 3.0)
    assert tuple(one) == pytest.approx((0.2, abs(0.7 * 0.2 + 0.1 * 0.5 * 2)))  # by hand


@pytest.mark.parametrize("bad", [{"rate": 0.0}, {"momentum": 1.0}, {"steps": 0}])
def test_impossible_steps_are_refused(bad):
    with pytest.raises(LetheError):
        heavy_ball.branches(**{"steps": 2, "rate": 0.1, "momentum": 0.9} | bad)


def made_up(networks=("a/sgd",), seeds=4, repeats=3, rng=0):
    """A table as the study's, with D2 - D1 known: the seed's number, plus 1 in `carry`."""
    draws = np.random.default_rng(rng)
    rows = []
    for network in networks:
        model, optimizer = network.split("/")
        for seed in range(seeds):
            for repeat in range(repeats):
                first = draws.random()
                for arm in study.ARMS:
                    flow = seed + (arm == "carry") + (repeat - 1) * 0.5
                    row = {"model": model, "optimizer": optimizer, "part": "regimes", "arm": arm}
                    row |= {"regime": "standard", "seed": seed, "repeat": repeat}
                    row |= {f"{d}_1": first for d in analysis.DISTANCES}
                    rows.append(row | {f"{d}_2": first + flow for d in analysis.DISTANCES})
    return pd.DataFrame(rows)


def test_repeats_are_averaged_inside_a_seed_and_arms_are_compared_in_pairs():
    table = analysis.with_network(made_up(), ["a/sgd"])
    found = analysis.by_seed(analysis.by_repeat(table)).loc[("a/sgd", "regimes", "standard")]
    assert found["break"].to_numpy() == pytest.approx(np.arange(4))
    assert found["lost by the break"].to_numpy() == pytest.approx(np.ones(4))
    assert found["lost by sharing"].to_numpy() == pytest.approx(np.ones(4))


def test_the_family_has_a_row_a_question_and_adjusts_over_all():
    table = analysis.with_network(made_up(("a/sgd", "b/sgd"), seeds=10), ["a/sgd", "b/sgd"])
    found = analysis.family(table, ["standard"], ["tv", "js"], margin=0.001)
    assert len(found) == 2 * 2 * 5  # networks, distances, arms and differences
    lost = found[found["what"] == "lost by the break"].iloc[0]
    assert (lost["estimate"], lost["p"], lost["seeds"]) == (1, 2 / 2**10, 10)
    assert lost["equal p"] > 0.99
    carry = found[found["what"] == "carry"].iloc[0]  # seeds 0 to 9, plus 1
    assert carry["estimate"] == pytest.approx(5.5)
    assert carry["low"] < 5.5 < carry["high"]
    assert carry["pooled high"] - carry["pooled low"] < carry["high"] - carry["low"]
    assert (found["adjusted"] >= found["p"]).all()
    ranked = found["p"].to_numpy().argsort()
    steps = found["p"].to_numpy()[ranked] * len(found) / np.arange(1, len(found) + 1)
    by_hand = np.minimum.accumulate(steps[::-1])[::-1].clip(max=1)
    assert found["adjusted"].to_numpy()[ranked] == pytest.approx(by_hand)


def test_means_over_regimes_are_taken_inside_a_seed_and_unknown_regimes_named():
    table = analysis.with_network(made_up(), ["a/sgd"])
    other = table.assign(regime="orthogonal", tv_2=table["tv_2"] + 4)
    seeds = analysis.by_seed(analysis.by_repeat(pd.concat([table, other])))
    found = analysis.of_seeds(seeds, "a/sgd", "break", ["standard", "orthogonal"])
    assert found == pytest.approx(np.arange(4) + 2)
    with pytest.raises(LetheError, match="standard"):
        analysis.of_seeds(seeds, "a/sgd", "break", ["standart"])


def test_unknown_networks_and_distances_are_named():
    with pytest.raises(LetheError, match="a/sgd"):
        analysis.with_network(made_up(), ["a/sdg"])
    with pytest.raises(LetheError, match="hellinger"):
        analysis.by_repeat(analysis.with_network(made_up(), ["a/sgd"]), "helinger")


def test_pooling_repeats_of_a_seed_claims_too_much():
    """Seeds differ, repeats do not: the pooled interval is too short by the root of the repeats."""
    values = np.repeat(np.random.default_rng(0).normal(size=(10, 1)), 16, axis=1)
    pooled = analysis.pooled_interval(values)
    honest = analysis.pooled_interval(values[:, 0])
    assert honest.se / pooled.se == pytest.approx(4, rel=0.1)
    assert honest.se == pytest.approx(values[:, 0].std() / np.sqrt(10), rel=0.05)


@given(st.floats(0, 0.995), st.integers(1, 20))
def test_amplification_is_the_buffer_after_equal_gradients(momentum, steps):
    buffer = 0.0
    for _ in range(steps):
        buffer = momentum * buffer + 1
    assert analysis.amplification(momentum, steps) == pytest.approx(buffer)


def test_slopes_are_those_of_least_squares():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"seed": np.repeat([3, 5], 6), "x": rng.random(12), "y": rng.random(12)})
    found = analysis.slopes(table, "x", "y")
    for seed, rows in table.groupby("seed"):
        assert found[seed] == pytest.approx(np.polyfit(rows["x"], rows["y"], 1)[0])
    with pytest.raises(LetheError, match="does not vary"):
        analysis.slopes(table.assign(x=1), "x", "y")


TASK = {"model": "test_resnet", "optimizer": "sgd", "part": "regimes", "seed": 1000, "repeats": 1}
SHORT = replace(study.STRONG, steps=2)


@pytest.fixture(scope="module")
def run():
    """A small run: two typefaces, one epoch, a probe of one typeface."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"EACH": 2, "PROBE": 1, "STOPPED": 1}.items():
            patch.setattr(study, name, value)
        yield study.Run(TASK)


@pytest.fixture(scope="module")
def adam():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"EACH": 2, "PROBE": 1, "STOPPED": 1}.items():
            patch.setattr(study, name, value)
        yield study.Run(TASK | {"optimizer": "adamw"})


def by_hand(run, regime, reset):
    """Weights after A and B by the formula of SGD, with torch's gradients only."""
    weights = [run.weights[name].clone() for name, _ in run.model.named_parameters()]
    buffers = [run.memory[k]["momentum_buffer"].clone() for k in range(len(weights))]
    for batch in (0, 2):
        images, labels = run.batches[batch]
        for step in range(regime.steps):
            if reset and batch == 2 and step == 0:
                buffers = [torch.zeros_like(b) for b in buffers]
            with torch.no_grad():
                for parameter, weight in zip(run.model.parameters(), weights, strict=True):
                    parameter.copy_(weight)
            loss = nn.functional.cross_entropy(run.model(images), labels)
            found = torch.autograd.grad(loss, list(run.model.parameters()))
            norm = torch.sqrt(sum(g.square().sum() for g in found))
            scale = min(1.0, 1.0 / (float(norm) + 1e-6))
            for k, gradient in enumerate(found):
                whole = scale * gradient + study.MICRO_DECAY * weights[k]
                buffers[k] = regime.momentum * buffers[k] + whole
                weights[k] = weights[k] - regime.rate * buffers[k]
    return weights


@pytest.mark.parametrize("arm", ["carry", "break"])
def test_both_arms_follow_the_formula_of_momentum(run, arm):
    run.enter(SHORT)
    run.draw(SHORT, 0)
    branch = run.after(run.origin, 0, SHORT.steps)
    begun = study.arms_of([branch.state, branch.state])[arm][0]
    found = list(run.after(begun, 2, SHORT.steps).state["weights"].values())
    for one, other in zip(found, by_hand(run, SHORT, arm == "break"), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_controls_come_out_exactly_and_micro_steps_leave_batch_norm_alone(run, adam, monkeypatch):
    monkeypatch.setattr(study, "CONTROL", replace(study.CONTROL, steps=1))
    frozen = snapshot.checksum(dict(run.model.named_buffers()))
    table = pd.DataFrame(run.controls())
    assert set(table["regime"]) == {"placebo", "no momentum", "no rate in B", "rerun"}
    placebo = table[table["regime"] == "placebo"].filter(regex="(tv|js|hellinger|weights)_")
    assert not placebo.to_numpy().any()
    assert snapshot.checksum(dict(run.model.named_buffers())) == frozen
    assert set(pd.DataFrame(adam.controls())["regime"]) == {"placebo", "no rate in B", "rerun"}


def test_a_control_that_fails_fails_the_run(run, monkeypatch):
    monkeypatch.setattr(study, "CONTROL", replace(study.CONTROL, steps=1))
    plain = study.transform

    def noisy(images, draws, instrument, recipe):
        return plain(images, draws, instrument, recipe) + 0.1 * torch.randn(images.shape)

    monkeypatch.setattr(study, "transform", noisy)
    with pytest.raises(InvariantError, match=r"placebo|rerun"):
        run.controls()


def test_arms_share_the_weights_and_differ_in_the_optimizer_only(adam):
    adam.enter(SHORT)
    adam.draw(SHORT, 0)
    one = [adam.after(adam.origin, batch, 2).state for batch in (0, 1)]
    arms = study.arms_of(one)
    for begun in arms.values():
        for state, before in zip(begun, one, strict=True):
            assert state["weights"] is before["weights"]
            groups = state["optimizer"]["param_groups"]
            assert groups == before["optimizer"]["param_groups"]
    assert all(state["optimizer"]["state"] == {} for state in arms["break"])
    shared = [state["optimizer"]["state"][0] for state in arms["same memory"]]
    assert shared[0] is shared[1]
    for name in ("exp_avg", "exp_avg_sq", "step"):
        own = [state["optimizer"]["state"][0][name] for state in one]
        torch.testing.assert_close(shared[0][name], (own[0] + own[1]) / 2)
    assert not torch.equal(*(state["optimizer"]["state"][0]["exp_avg"] for state in one))


@pytest.mark.parametrize(("overlap", "shared"), [(0.0, 0), (0.5, 16), (0.75, 24), (1.0, 32)])
def test_b_has_the_stated_share_of_the_samples_of_a(run, overlap, shared, monkeypatch):
    seen = []
    monkeypatch.setattr(run, "batch", lambda at, name, visit: seen.append((at, name, visit)))
    run.draw(replace(study.STRONG, overlap=overlap), 3)
    (first, _, visit), (other, *_), (second, _, later) = seen
    assert (first == other).all()
    assert visit != later
    assert len(set(second)) == study.BATCH
    assert len(set(first) & set(second)) == shared


def test_draws_belong_to_sample_instrument_and_visit(run):
    at = np.arange(6)
    for name in study.INSTRUMENTS:
        images = run.batch(at, name, 0)[0]
        assert torch.equal(images.flip(0), run.batch(at[::-1].copy(), name, 0)[0])
        assert not torch.equal(images, run.batch(at, name, 1)[0])
        assert images.shape == (6, 1, 32, 32)
        assert images.min() >= -1.0001
        assert images.max() <= 1.0001


def test_blur_spreads_and_keeps_the_sum_and_contrast_is_a_line():
    point = torch.zeros(1, 1, 32, 32)
    point[..., 16, 16] = 1
    spread = study.transform(point, torch.tensor([[0.5] * 5]), "blur", None)
    assert spread.sum() == pytest.approx(1, abs=1e-5)
    x = torch.arange(7) - 3.0
    wanted = torch.softmax(-(x**2) / 2, 0)  # a Gaussian of one pixel, seven wide
    torch.testing.assert_close(spread[0, 0, 16, 13:20], wanted * wanted[3], rtol=1e-4, atol=1e-6)
    grey = torch.full((1, 1, 2, 2), 0.2)
    draws = torch.tensor([[1.0, 0.0, 0, 0, 0]])
    assert study.transform(grey, draws, "contrast", None)[0, 0, 0, 0] == pytest.approx(0.3 - 0.4)


def test_the_regimes_are_those_named_and_tasks_cover_all_seeds():
    strong = study.REGIMES["resonant-strong"]
    assert (strong.steps, strong.rate, strong.momentum, strong.overlap) == (6, 0.03, 0.99, 1.0)
    every = study.tasks()
    assert len(every) == study.SEEDS * (len(study.NETWORKS) + 1)
    assert [task["seed"] for task in every] == sorted(task["seed"] for task in every)
    assert len(study.tasks(quick=True)) == 2
    assert study.ARMS == analysis.ARMS
