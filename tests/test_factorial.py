"""lethe.experiments.factorial: which draws a run shares, and that nothing else decides."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lethe import traces
from lethe.analysis.factors.design import CONTROLS, RUNS, SOURCES
from lethe.capture import capture_run, plan_run, streams
from lethe.capture.recipes import find_recipe
from lethe.capture.samplers import Plan
from lethe.experiments import adapt, factorial, prior, tasks

TASK = {"model": "test_resnet", "block": 500, "epochs": 1}  # seeds 1000 and 1001


@pytest.fixture
def small(monkeypatch):
    """Two of three typefaces a letter."""
    monkeypatch.setattr(factorial, "POOL", 3)
    monkeypatch.setattr(factorial, "DRAWN", 2)


def outcome(run, **more):
    return factorial.carry_out({**TASK, "run": run, **more}, Path())


def test_the_list_is_whole_blocks_of_all_runs_then_the_swapped_rates():
    listed = factorial.tasks()
    blocks = [task for task in listed if "learning_rate" not in task]
    assert len(blocks) == factorial.BLOCKS * len(factorial.MODELS) * len(RUNS)
    assert listed == blocks + factorial.swapped()
    assert len({tasks.task_id(task) for task in listed}) == len(listed)
    first = blocks[: len(factorial.MODELS) * len(RUNS)]
    assert {task["block"] for task in first} == {0}
    assert len(factorial.tasks(quick=True)) == 2 * len(RUNS)
    assert {task["model"] for task in factorial.tasks(large=True)} == set(factorial.LARGE_MODELS)


def test_swapped_rates_are_those_of_the_other_network():
    own = {name: find_recipe("quick", name).learning_rate for name in factorial.MODELS}
    one, two = factorial.MODELS
    assert {one: own[two], two: own[one]} == factorial.SWAPPED


def test_a_learning_rate_in_the_task_is_used(small):
    (slow,), _ = outcome("base", learning_rate=1e-6)
    (fast,), _ = outcome("base")
    assert slow["weights"] != fast["weights"]


def test_the_sources_are_all_purposes_but_dropout():
    assert streams.PURPOSES[:4] == SOURCES
    assert streams.PURPOSES[4:] == ("dropout",)


def test_a_run_differs_from_base_in_its_source_only():
    base, other = (
        factorial.seeds_of({"run": run, "block": 7}).as_dict() for run in ("base", "other")
    )
    assert not set(base.values()) & set(other.values())
    for source in SOURCES:
        mixed = factorial.seeds_of({"run": source, "block": 7}).as_dict()
        assert mixed == base | {source: other[source]}
    for control in CONTROLS:
        assert factorial.seeds_of({"run": control, "block": 7}).as_dict() == base


def test_blocks_share_no_seed():
    pairs = [
        set(factorial.seeds_of({"run": run, "block": b}).as_dict().values())
        for b in range(factorial.BLOCKS)
        for run in ("base", "other")
    ]
    assert len(set.union(*pairs)) == len(pairs) == 2 * factorial.BLOCKS


def test_two_splits_share_four_fifths_and_hold_the_same_number_of_every_class():
    everything = prior.resident("train")
    labels = everything.labels.numpy()
    pool = adapt.part(everything, adapt.by_class(labels, factorial.POOL))
    one, two = (factorial.draw(pool, seed) for seed in (1000, 1001))
    for rows in (one, two):
        assert (np.diff(rows) > 0).all()
        assert set(np.bincount(pool.labels.numpy()[rows])) == {factorial.DRAWN}
    assert np.intersect1d(one, two).size / one.size == pytest.approx(0.8, abs=0.02)
    assert np.array_equal(one, factorial.draw(pool, 1000))


@pytest.mark.parametrize("name", factorial.MODELS)
def test_one_bit_of_one_weight_is_flipped(name):
    model = prior.build(name, 62, find_recipe("quick", name), "none", 0)
    before = {n: p.clone() for n, p in model.named_parameters()}
    factorial.flip_last_bit(model)
    changed = {n: (p != before[n]).sum().item() for n, p in model.named_parameters()}
    assert sum(changed.values()) == 1
    (name,) = (n for n, count in changed.items() if count)
    one, two = (w.detach().flatten() for w in (before[name], dict(model.named_parameters())[name]))
    at = (one != two).nonzero().item()
    assert abs(one[at].view(torch.int32) - two[at].view(torch.int32)) == 1


def test_no_network_of_the_study_has_active_dropout():
    for name in factorial.MODELS:
        model = prior.build(name, 62, find_recipe("quick", name), "none", 0)
        for module in model.modules():
            assert getattr(module, "p", 0) == getattr(module, "drop_prob", 0) == 0


def test_backwards_keeps_the_batches_and_turns_each():
    plan = Plan(np.random.default_rng(0).permutation(23), np.zeros(23, np.int64))
    turned = factorial.backwards(plan, 5)
    for start in range(0, 23, 5):
        part = slice(start, start + 5)
        assert np.array_equal(turned.positions[part], plan.positions[part][::-1])
    joined = factorial.backwards(Plan(np.arange(11), np.zeros(11, np.int64)), 5)
    assert np.array_equal(joined.positions, [4, 3, 2, 1, 0, 10, 9, 8, 7, 6, 5])  # no batch of one


def test_bits_come_back():
    correct = np.random.default_rng(0).random((4, 9)) < 0.5
    rows = np.array([1, 2, 3, 5, 8, 9, 10, 11, 12])
    arrays = factorial.packed(correct, rows, 13)
    back = np.unpackbits(arrays["correct"], axis=1, count=13).astype(bool)
    drawn = np.unpackbits(arrays["drawn"], count=13).astype(bool)
    assert np.array_equal(np.flatnonzero(drawn), rows)
    assert np.array_equal(back[:, rows], correct)
    assert not back[:, ~drawn].any()


def test_a_run_is_a_capture(monkeypatch, tmp_path):
    """With the whole train split as its pool, base is what `lethe capture` records."""
    monkeypatch.setattr(factorial, "POOL", 10_000)
    monkeypatch.setattr(factorial, "DRAWN", 3)
    (row,), arrays = outcome("base")
    plan = plan_run("glyphs", "test_resnet", seed=1000, limit=3 * 62, epochs=1)
    trace = traces.read_run(capture_run(plan, tmp_path))
    known = (trace["prediction"] == trace["label"]).transpose("epoch", "sample").values
    drawn = np.unpackbits(arrays["drawn"], count=arrays["label"].size).astype(bool)
    ours = np.unpackbits(arrays["correct"], axis=1, count=drawn.size).astype(bool)[:, drawn]
    assert np.array_equal(ours, known)
    assert row["test_accuracy"] == pytest.approx(float(trace["test_accuracy"][-1]))


def test_the_same_run_in_another_process_is_the_same_bit_for_bit():
    (one,), here = outcome("base")
    (two,), there = outcome("rerun")
    assert one == two
    for name in here:
        assert np.array_equal(here[name], there[name])


def test_every_other_run_is_another(small):
    rows = {run: outcome(run)[0][0] for run in RUNS if run != "rerun"}
    hashes = [row["weights"] for row in rows.values()]
    assert len(set(hashes)) == len(hashes)
    again = outcome("order")[0][0]
    assert again == rows["order"]


def test_the_split_is_that_of_the_run(small):
    drawn = {run: outcome(run)[1]["drawn"] for run in ("base", "split")}
    assert not np.array_equal(drawn["base"], drawn["split"])


def test_augmentation_is_first_seen_after_an_epoch_of_training(small):
    one, two = (outcome(run)[1]["correct"] for run in ("base", "augment"))
    assert np.array_equal(one[0], two[0])  # head warm-up sees clean features
