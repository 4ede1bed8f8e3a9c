"""Samplers: exact counts, the memory model from its definition, exact resume, any DataLoader."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from lethe.capture import EpochSampler, capture_run, plan_run, samplers, streams, training
from lethe.capture.replay import committed_plan
from lethe.capture.samplers import SAMPLERS, Draws, History
from lethe.capture.verify import verify_run
from lethe.errors import LetheError
from lethe.traces import read_run

KEYS = streams.sample_keys(map(str, range(40)))


def history(seed=0, epochs=6, n=40, constants=None, right=0.7):
    draw = np.random.default_rng(seed)
    correct = draw.random((epochs, n)) < right
    visits = draw.integers(0, 3, (epochs, n))
    visits[0] = 1
    return History(draw.integers(0, 4, n), correct, draw.random((epochs, n)), visits, constants)


@given(
    st.sampled_from([*SAMPLERS, "random"]),
    st.integers(0, 50),
    st.integers(1, 80),
    st.floats(0, 1),
)
@settings(max_examples=150, deadline=None)
def test_visits_sum_to_the_budget(name, seed, budget, right):
    past = history(seed, right=right)
    counts = samplers.visits_of(name, past, seed, 6, KEYS, budget)
    assert counts.sum() == budget
    assert (counts >= 0).all()
    again = samplers.visits_of(name, past, seed, 6, KEYS, budget)
    assert (counts == again).all()
    plan = samplers.plan_epoch(counts, seed, 6, KEYS)
    assert (np.bincount(plan.positions, minlength=40) == counts).all()
    for sample in range(40):  # visits are numbered from 0 without a gap
        assert sorted(plan.repeats[plan.positions == sample]) == list(range(counts[sample]))


def test_without_repeats_the_order_is_that_of_a_run_without_a_sampler():
    plan = samplers.plan_epoch(np.ones(40, np.int64), 3, 7, KEYS)
    assert (plan.positions == streams.shuffled(3, "order", 7, KEYS)).all()
    assert (plan.repeats == 0).all()


def slow_retention(past):
    """The memory model sample by sample, from its definition."""
    constants = past.constants
    kept = []
    for i in range(past.correct.shape[1]):
        strength, seen = 1.0, 0 if past.visits[0, i] else None
        for e in range(1, len(past.correct)):
            if past.visits[e, i]:
                seen = e
            if past.visits[e, i] and past.correct[e, i]:
                strength *= 2
            elif past.correct[e - 1, i] and not past.correct[e, i]:
                strength /= 2
            strength = min(max(strength, 0.25), 64)
        since = len(past.correct) - seen
        kept.append(np.exp(-constants[i] * since / strength) if past.correct[-1, i] else 0)
    return np.array(kept)


@pytest.mark.parametrize("seed", range(5))
def test_predicted_retention_is_its_definition(seed):
    past = history(seed, constants=np.random.default_rng(seed).random(40))
    assert samplers.predicted_retention(past) == pytest.approx(slow_retention(past))


def test_intervals_grow_on_success_and_shrink_on_a_lapse():
    correct = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 1], [1, 1, 1]], bool)
    strength = samplers.strengths(correct, np.ones_like(correct, int))
    # right thrice; lapse in the middle; lapse at first, then right twice
    assert strength.tolist() == [8, 2, 2]
    idle = samplers.strengths(correct, np.zeros_like(correct, int))
    assert idle.tolist() == [1, 0.5, 0.5]
    long = np.ones((30, 1), bool)
    assert samplers.strengths(long, long.astype(int)) == samplers.STRONGEST
    swinging = np.arange(31)[:, None] % 2 == 0
    assert samplers.strengths(swinging, np.zeros((31, 1), int)) == samplers.WEAKEST


def test_decay_constants_are_lapses_over_epochs_at_risk_and_find_a_known_rate():
    correct = np.array([[1, 0], [0, 0], [1, 0], [1, 0]], bool)
    pooled = (1 + 0.5) / (2 + 1)
    assert samplers.decay_constants(correct) == pytest.approx([(1 + pooled) / 3, pooled])
    draw = np.random.default_rng(1)
    long = np.ones((400, 2000), bool)
    for e in range(1, 400):  # lost with chance 0.1 an epoch, learned again at once
        long[e] = ~long[e - 1] | (draw.random(2000) >= 0.1)
    assert samplers.decay_constants(long).mean() == pytest.approx(0.1, abs=0.002)


def test_due_samples_come_first_and_the_most_endangered_before_the_others():
    n = 40
    correct = np.ones((3, n), bool)
    correct[2, :5] = False  # wrong now: retention 0
    constants = np.linspace(0.001, 2, n)
    past = History(np.zeros(n, int), correct, np.zeros((3, n)), np.ones((3, n), int), constants)
    retained = samplers.predicted_retention(past)
    due = retained < samplers.THRESHOLD
    draws = Draws.of(0, 3, KEYS)
    everything = samplers.spaced(past, n, draws)
    assert (everything[due] >= 1).all()
    assert everything.max() <= samplers.MOST_VISITS
    few = samplers.spaced(past, 7, draws)  # more are due than the budget allows
    assert few.max() == 1
    assert retained[few == 1].max() <= retained[few == 0].min()
    more = samplers.spaced(past, 3 * int(due.sum()) + 4, draws)
    assert (more[due] == 3).all()
    assert more[~due].sum() == 4


def test_all_due_or_none_due_is_defined():
    n = 10
    keys = KEYS[:n]
    for right, constant in ((False, 1.0), (True, 0.0)):
        correct = np.full((2, n), right)
        past = History(np.zeros(n, int), correct, np.zeros((2, n)), np.ones((2, n), int))
        past = History(*[getattr(past, f) for f in ("labels", "correct", "loss", "visits")],
                       np.full(n, constant))  # fmt: skip
        assert (samplers.visits_of("spaced", past, 0, 2, keys) == 1).all()
    one = History(np.zeros(1, int), np.ones((1, 1), bool), np.zeros((1, 1)), np.ones((1, 1), int))
    for name in SAMPLERS:
        assert samplers.visits_of(name, one, 0, 1, keys[:1]).tolist() == [1]


def test_the_harder_half_is_visited_twice():
    past = history(2)
    counts = samplers.visits_of("hardest", past, 0, 6, KEYS)
    hard = np.argsort(-past.loss[-1])[:20]
    assert sorted(np.flatnonzero(counts)) == sorted(hard)
    assert (counts[hard] == 2).all()


def test_shuffled_gives_every_constant_to_another_sample_once_and_for_all():
    past = history(1, constants=np.arange(40.0))
    moved = samplers.with_shuffled_constants(past, 5, KEYS).constants
    assert sorted(moved) == sorted(past.constants)
    assert (moved != past.constants).all()
    shorter = samplers.with_shuffled_constants(past.first(3), 5, KEYS).constants
    assert (moved == shorter).all()
    assert not (samplers.with_shuffled_constants(past, 6, KEYS).constants == moved).all()


def test_classes_are_visited_by_their_loss_of_retention_within_the_ratio():
    labels = np.repeat(np.arange(4), 10)
    correct = np.ones((21, 40), bool)
    correct[1::2, labels == 1] = False  # a class that is lost every other epoch
    correct[3, labels == 2] = False
    past = History(labels, correct, np.zeros((21, 40)), np.ones((21, 40), int))
    retention = samplers.class_retention(past)
    assert retention == pytest.approx([1, 11 / 21, 20 / 21, 1])
    draws = [Draws.of(seed, 21, KEYS) for seed in range(400)]
    by_class = np.mean(
        [np.bincount(labels, samplers.class_adaptive(past, 40, d)) for d in draws], axis=0
    )
    assert by_class == pytest.approx([10 / 3, 30, 10 / 3, 10 / 3], abs=0.3)  # clipped, then shared
    even = History(labels, np.ones((2, 40), bool), np.zeros((2, 40)), np.ones((2, 40), int))
    assert (samplers.visits_of("classes", even, 0, 2, KEYS) == 1).all()


def test_a_class_without_samples_and_one_never_learned():
    labels = np.array([0, 0, 2, 2])
    correct = np.array([[1, 1, 0, 0], [1, 0, 0, 0]], bool)
    past = History(labels, correct, np.zeros((2, 4)), np.ones((2, 4), int))
    retention = samplers.class_retention(past)
    assert retention[0] == 0.75
    assert np.isnan(retention[1])
    assert retention[2] == 0
    assert samplers.visits_of("classes", past, 0, 2, KEYS[:4]).sum() == 4


def test_apportioned_visits_are_proportional_on_average_and_never_off_by_one():
    weights, draw = np.array([0.2, 0.5, 1.0, 1.3, 2.0]), np.random.default_rng(0)
    share = weights / weights.sum() * 7
    counts = np.array(
        [samplers.apportion(weights, 7, draw.random(5), draw.random()) for _ in range(4000)]
    )
    assert (np.abs(counts - share) < 1).all()
    assert counts.mean(0) == pytest.approx(share, abs=0.03)


def test_unknown_names_useless_constants_and_short_histories_are_refused():
    with pytest.raises(LetheError, match=r"unknown sampler 'spced'.*spaced"):
        samplers.check_sampler("spced")
    with pytest.raises(LetheError, match="takes no decay constants"):
        samplers.check_sampler("classes", True)
    with pytest.raises(LetheError, match="needs a history of 9"):
        samplers.visits_of("spaced", history(), 0, 9, KEYS)
    with pytest.raises(LetheError, match="looks at the clean passes"):
        plan_run("glyphs", "test_resnet", sampler="spaced", views=("eval", "train"))
    with pytest.raises(LetheError, match="no file"):
        plan_run("glyphs", "test_resnet", sampler="spaced", constants="nowhere.csv")


def tiny(**more):
    few = {"limit": 62, "epochs": 4, "warmup_epochs": 1, "held": {"split": 0}, "test_every": 4}
    return plan_run("glyphs", "test_resnet", **{**few, **more})


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


def test_a_run_without_a_sampler_keeps_its_id():
    plain = plan_run("glyphs", "test_resnet")
    assert not {"sampler", "constants", "test_every"} & plain.config().keys()
    assert plain.run_id != plan_run("glyphs", "test_resnet", sampler="classes").run_id


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_killed_run_goes_on_exactly(name, out, tmp_path, monkeypatch):
    run = tiny(sampler=name)
    whole = capture_run(run, out, "cpu")
    epoch = training.train_epoch

    def stop_in_epoch_3(*args):
        if args[5] == 3:
            raise KeyboardInterrupt
        return epoch(*args)

    monkeypatch.setattr("lethe.capture.finetune.CHECKPOINT_EVERY", 0)
    monkeypatch.setattr(training, "train_epoch", stop_in_epoch_3)
    with pytest.raises(KeyboardInterrupt):
        capture_run(run, tmp_path, "cpu")
    monkeypatch.setattr(training, "train_epoch", epoch)
    resumed = capture_run(run, tmp_path, "cpu")
    assert (resumed / "weights.safetensors").read_bytes() == (
        whole / "weights.safetensors"
    ).read_bytes()
    one, two = read_run(whole), read_run(resumed)
    assert (one["prediction"] == two["prediction"]).all()
    assert (one["order_hash"] == two["order_hash"]).all()
    report = verify_run(resumed)
    assert not report.problems
    assert report.passed["order hash"] == 5


def test_verification_finds_an_order_that_the_trace_does_not_lead_to(out):
    folder = capture_run(tiny(sampler="hardest"), out, "cpu")
    plan = committed_plan(folder, "hardest", 0, 4)
    assert np.bincount(plan.positions, minlength=62).max() == 2
    record = folder / "epochs" / "eval-0004.commit.json"
    text = record.read_text()
    order = read_run(folder)["order_hash"].values[4]
    record.write_text(text.replace(order, "0" * 16))
    found = verify_run(folder).problems
    record.write_text(text)
    assert any("order hash" in line for line in found)


def test_second_visits_have_augmentations_of_their_own():
    data = training.Resident(torch.zeros(3, 1, 2, 2), torch.zeros(3, dtype=int), KEYS[:3], 2)
    plan = samplers.plan_epoch(np.array([3, 1, 0]), 0, 1, KEYS[:3])
    draws = training.augmentation_draws(data, streams.Seeds.of_run(0), 1, plan)
    assert draws.shape == (4, 5)
    assert len(np.unique(draws[:, 0])) == 4
    first = streams.uniforms(0, "augment", 1, KEYS[:3], 5)
    assert (draws[(plan.positions == 0) & (plan.repeats == 0)] == first[0]).all()


def test_constants_come_from_a_file_by_sample_id(out, tmp_path):
    ids = read_run(capture_run(tiny(sampler="spaced"), out, "cpu"))["sample"].values
    table = pd.DataFrame({"sample_id": ids[::-1], "decay_constant": np.arange(62.0)})
    file = tmp_path / "constants.csv"
    table.to_csv(file, index=False)
    given = tiny(sampler="spaced", constants=str(file))
    assert given.run_id != tiny(sampler="spaced").run_id
    folder = capture_run(given, out, "cpu")
    assert read_run(folder)["decay_constant"].values.tolist() == list(np.arange(62.0)[::-1])
    assert not verify_run(folder).problems
    table.iloc[1:].to_csv(file, index=False)
    with pytest.raises(LetheError, match="no decay constant of 0 or more for sample"):
        capture_run(tiny(sampler="spaced", constants=str(file)), out, "cpu")
    table.rename(columns={"decay_constant": "rate"}).to_csv(file, index=False)
    with pytest.raises(LetheError, match="no column decay_constant"):
        capture_run(tiny(sampler="spaced", constants=str(file)), out, "cpu")


def passes(sampler, epochs, n=40, seed=3):
    """Go through epochs of a loader, telling the sampler of made-up passes."""
    draw, visited = np.random.default_rng(seed), []
    loader = DataLoader(TensorDataset(torch.arange(n)), batch_size=7, sampler=sampler)
    for _ in range(epochs):
        visited.append([int(i) for (batch,) in loader for i in batch])
        sampler.end_epoch(draw.random(n) < 0.8, draw.random(n))
    return visited


@pytest.mark.parametrize("name", [*SAMPLERS, "random"])
def test_any_loader_takes_the_sampler_and_a_loaded_one_goes_on(name):
    ids, labels = [str(i) for i in range(40)], np.arange(40) % 4
    sampler = EpochSampler(ids, labels, name, seed=2, budget=30)
    visited = passes(sampler, 5)
    assert [len(epoch) for epoch in visited] == [40, 30, 30, 30, 30]
    assert sorted(visited[0]) == list(range(40))
    other = EpochSampler(ids, labels, name, seed=2, budget=30)
    passes(other, 3)
    copy = EpochSampler(ids, labels, name, seed=2, budget=30)
    copy.load_state_dict(other.state_dict())
    assert list(copy) == visited[3]
    assert len(copy) == 30


def test_the_loader_sampler_plans_what_the_capture_plans():
    ids = [str(i) for i in range(40)]
    past = history(4)
    sampler = EpochSampler(ids, past.labels, "spaced", seed=9)
    for correct, loss in zip(past.correct, past.loss):
        sampler.end_epoch(correct, loss)
    visits = samplers.replay("spaced", past, 9, KEYS)
    full = History(past.labels, past.correct, past.loss.astype(np.float32), visits)
    counts = samplers.visits_of("spaced", full, 9, 6, KEYS)
    assert list(sampler) == samplers.plan_epoch(counts, 9, 6, KEYS).positions.tolist()


def test_the_loader_sampler_refuses_what_does_not_fit():
    ids = ["a", "b", "c"]
    with pytest.raises(LetheError, match="2 labels for 3 samples"):
        EpochSampler(ids, [0, 1])
    with pytest.raises(LetheError, match="occurs twice"):
        EpochSampler(["a", "a", "b"], [0, 1, 0])
    with pytest.raises(LetheError, match="0 or above"):
        EpochSampler(ids, [0, 1, 0], constants=[1, np.nan, 2])
    sampler = EpochSampler(ids, [0, 1, 0])
    with pytest.raises(LetheError, match="a pass has 3 samples"):
        sampler.end_epoch([True], [0.1])
    with pytest.raises(LetheError, match="NaN"):
        sampler.end_epoch([True] * 3, [0.1, np.nan, 0.2])
    with pytest.raises(LetheError, match="the state has seed 1"):
        sampler.load_state_dict(EpochSampler(ids, [0, 1, 0], seed=1).state_dict())


def test_every_pair_of_streams_stays_apart():
    """The draws of a sampler are not those that order its visits."""
    epochs = [3, 3 + (1 << 30)]
    drawn = [streams.uniforms(0, "order", epoch, KEYS, 4) for epoch in epochs]
    for one, two in itertools.combinations(drawn, 2):
        assert not (one == two).any()
