"""Studies: lists of tasks that resume, fail one by one and are collected; and what an arm does."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lethe.analysis import arms
from lethe.capture import models, streams, training
from lethe.capture.recipes import find_recipe
from lethe.errors import LetheError
from lethe.experiments import adapt, prior, rehearsal, sampling, tasks, weighting

SIZES = ({"quick": True}, {}, {"large": True})
# studies whose arms are tasks: the column of the arm, and of what pairs them; in `memory` and
# `back_flow` a task holds all arms of a seed
PAIRED = {name: ("arm", "seed") for name in ("sampling", "weighting", "rehearsal", "bridge")}
PAIRED |= {"factorial": ("run", "block")}


@pytest.mark.parametrize("name", tasks.STUDIES)
def test_every_study_declares_different_tasks(name):
    study = tasks.find_study(name)
    for size in SIZES:
        ids = [tasks.task_id(task) for task in study.tasks(**size)]
        assert len(set(ids)) == len(ids)
    every = study.tasks(False)
    assert len(every) >= 40
    assert len({task.get("seed", task.get("block")) for task in every}) >= 6


@pytest.mark.parametrize("name", PAIRED)
def test_arms_have_the_same_seeds(name):
    arm, unit = PAIRED[name]
    for size in SIZES:
        every = pd.DataFrame(tasks.find_study(name).tasks(**size))
        if "learning_rate" in every:  # a few runs beside the design
            every = every[every["learning_rate"].isna()]
        seeds = every.groupby(arm)[unit].unique()
        assert all(set(found) == set(seeds.iloc[0]) for found in seeds)


def test_unknown_studies_and_settings_are_named():
    with pytest.raises(LetheError, match=r"unknown study 'weighing'.*weighting"):
        tasks.find_study("weighing")
    every = weighting.tasks(True)
    assert {t["arm"] for t in tasks.chosen(every, {"arm": "flow"})} == {"flow"}
    with pytest.raises(LetheError, match=r"no task has a setting 'arms'.*arm"):
        tasks.chosen(every, {"arms": "flow"})
    with pytest.raises(LetheError, match="no task has arm=flaw"):
        tasks.chosen(every, {"arm": "flaw"})


def done(place, task, value=0.5):
    """A finished task as a worker leaves it."""
    name = tasks.task_id(task)
    place.mkdir(parents=True, exist_ok=True)
    np.savez(place / f"{name}.npz", events=np.arange(3) + task["seed"])
    result = {"settings": task, "rows": [{"epoch": e, "target": value} for e in (1, 2)]}
    result |= {"seconds": 36.0, "environment": {"device": "cpu"}}
    (place / f"{name}.json").write_text(json.dumps(result))


def test_a_collected_study_is_read_back_in_the_order_of_its_tasks(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_DATA", str(tmp_path / "data"))
    study = tasks.find_study("weighting")
    wanted = study.tasks(True)[:3]
    for task in wanted:
        done(tmp_path / "weighting", task)
    tasks.collect(study, wanted, tmp_path)
    table = arms.read_study("weighting")
    assert list(table["arm"]) == [t["arm"] for t in wanted for _ in range(2)]
    assert table.attrs["tasks"] == 3
    assert table.attrs["core_hours"] == 0.03
    first = arms.read_arrays("weighting", "events", [table["task"][0]])
    assert first.tolist() == [[0, 1, 2]]
    before = [
        (tmp_path / "data" / "results" / f"weighting.{e}").read_bytes() for e in ("csv", "npz")
    ]
    tasks.collect(study, wanted, tmp_path)
    after = [
        (tmp_path / "data" / "results" / f"weighting.{e}").read_bytes() for e in ("csv", "npz")
    ]
    assert before == after
    with pytest.raises(LetheError, match="tasks are not done, such as"):
        tasks.collect(study, study.tasks(True), tmp_path)


def test_what_is_done_is_skipped_and_one_failure_stops_nobody(tmp_path):
    study, said = tasks.find_study("rehearsal"), []
    good = {"model": "test_resnet", "arm": "none", "ratio": 0.0, "seed": 0, "epochs": 1}
    done(tmp_path / "rehearsal", good)
    tasks.run_study(study, [good], tmp_path, report=said.append)
    assert said == ["rehearsal: 1 of 1 tasks are done"]
    bad = [{**good, "model": name} for name in ("no_such", "nor_this")]
    with pytest.raises(LetheError, match="2 of 3 tasks failed"):
        tasks.run_study(study, [good, *bad], tmp_path, report=said.append)
    assert sum("failed" in line for line in said) == 2
    assert len(list((tmp_path / "rehearsal").glob("*.json"))) == 1


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The studies on few typefaces, with prior networks in one folder."""
    patch = pytest.MonkeyPatch()
    for module in (weighting, rehearsal):
        patch.setattr(module, "EACH", 3)
        patch.setattr(module, "JUDGE", 2)
    patch.setattr(weighting, "CHOOSE", 2)
    patch.setattr(weighting, "PRIOR_EVERY", 20)
    patch.setattr(rehearsal, "PRIOR_EACH", 4)
    few = adapt.part(prior.resident("pretrain"), np.arange(0, 17_282, 40))
    whole = prior.resident
    patch.setattr(
        prior, "resident", lambda split, px=32: few if split == "pretrain" else whole(split, px)
    )
    torch.set_num_threads(1)
    yield tmp_path_factory.mktemp("study")
    patch.undo()


def flow_task(arm, **more):
    task = {"model": "test_resnet", "arm": arm, "rate": 0.01, "seed": 0, "epochs": 1}
    return {**task, **more}


def test_flow_runs_begin_with_the_probe_and_are_exact(small):
    rows, arrays = weighting.carry_out(flow_task("flow"), small)
    assert [(r["epoch"], r["alpha"]) for r in rows[:2]] == [(0, 1.0), (1, 1.0)]
    assert [r["alpha"] for r in rows[2:]] == list(weighting.ALPHAS)
    assert rows[0]["retained"] == rows[0]["retained_as_is"]  # the body has not moved
    again, same = weighting.carry_out(flow_task("flow"), small)
    assert rows == again
    assert all((arrays[name] == same[name]).all() for name in arrays)
    plain, _ = weighting.carry_out(flow_task("fine-tuning"), small)
    assert plain[0]["epoch"] == 1
    probed, _ = weighting.carry_out(flow_task("probe first"), small)
    assert probed[0] == rows[0]  # all arms with a probe share it


def test_weights_of_one_change_nothing_and_a_pull_keeps_the_body(small):
    run = {}
    for arm in ("probe first", "l2sp strong"):
        recipe = find_recipe("quick", "test_resnet", learning_rate=0.01, epochs=1)
        known = prior.letters("test_resnet", small)
        run[arm] = weighting.Run(flow_task(arm), recipe, weighting.target(), known)
        run[arm].train(1)
    moved = {arm: distance(r.model, r.probe) for arm, r in run.items()}
    assert moved["l2sp strong"] < moved["probe first"]
    assert (run["probe first"].weights == 1).all()


def distance(one, two):
    head = models.head_names(one)
    pairs = zip(one.named_parameters(), two.parameters(), strict=True)
    return sum(float((p - q).detach().square().sum()) for (n, p), q in pairs if n not in head)


def test_a_view_without_augmentation_weighs_what_the_clean_pass_weighs(small):
    recipe = replace(find_recipe("quick", "test_resnet", epochs=1), shift=0.0, scale=0.0)
    known = prior.letters("test_resnet", small)
    run = weighting.Run(flow_task("flow per view"), recipe, weighting.target(), known)
    _, _, at, images = next(adapt.steps(run.data.train, recipe, run.seeds, 1))
    found = run.view_weights(images, run.data.train.labels[at]).numpy()
    static = np.exp(-run.losses[at.numpy()] / np.median(run.losses))
    assert found == pytest.approx(static, abs=1e-3)


def test_the_hard_tenth_is_a_tenth_even_with_ties():
    assert weighting.hardest(np.zeros(100)).sum() == 10
    hard = weighting.hardest(np.arange(50.0))
    assert np.flatnonzero(hard).tolist() == [45, 46, 47, 48, 49]


class Normed(nn.Sequential):
    """A body with BatchNorm and a head."""

    def __init__(self):
        super().__init__(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))

    def get_classifier(self):
        return self[2]


def test_putting_back_takes_the_head_and_only_then_the_norms():
    before, after = Normed(), Normed()
    after[1].running_mean += 1
    as_is = adapt.with_prior_head(after, before, restored=False)
    restored = adapt.with_prior_head(after, before, restored=True)
    for mixed in (as_is, restored):
        assert (mixed[0].weight == after[0].weight).all()
        assert (mixed[2].weight == before[2].weight).all()
    assert (as_is[1].running_mean == 1).all()
    assert (restored[1].running_mean == 0).all()
    assert adapt.norm_names(before) == [
        f"1.{n}" for n in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    ]


def test_an_average_is_linear_and_its_ends_are_the_networks():
    one, two = Normed(), Normed()
    for share in (0.0, 0.3, 1.0):
        mixed = adapt.averaged(one, two, share)
        wanted = (1 - share) * one[0].weight + share * two[0].weight
        assert torch.allclose(mixed[0].weight, wanted)


def test_the_optimizer_depends_on_the_kind_of_network():
    recipe = find_recipe("quick", "test_resnet")
    assert isinstance(adapt.make_optimizer(Normed(), recipe), torch.optim.SGD)
    plain = nn.Sequential(nn.Linear(2, 2))
    assert isinstance(adapt.make_optimizer(plain, recipe), torch.optim.AdamW)


def test_adamw_hardly_sees_a_constant_factor_and_sgd_does():
    """What FLOW's small weights do to the step, and why the study has both."""
    moved = {}
    for kind in ("sgd", "adamw"):
        for factor in (1.0, 0.4):
            torch.manual_seed(0)
            model = nn.Linear(3, 2)
            begun = model.weight.detach().clone()
            make = torch.optim.SGD if kind == "sgd" else torch.optim.AdamW
            optimizer = make(model.parameters(), lr=0.01, weight_decay=0.0)
            (factor * model(torch.ones(1, 3)).square().sum()).backward()
            optimizer.step()
            moved[kind, factor] = float((model.weight - begun).norm())
    assert moved["adamw", 0.4] == pytest.approx(moved["adamw", 1.0], rel=1e-3)
    assert moved["sgd", 0.4] == pytest.approx(0.4 * moved["sgd", 1.0], rel=1e-3)


def test_images_are_turned_by_a_quarter():
    image = torch.arange(4, dtype=torch.uint8).reshape(1, 1, 2, 2)
    data = training.Resident(image, torch.zeros(1, dtype=int), np.zeros(1, np.uint64), 2)
    assert adapt.turned(data).images[0, 0].tolist() == [[1, 3], [0, 2]]


@pytest.mark.parametrize("arm", rehearsal.ARMS)
def test_every_rehearsal_arm_runs_and_is_exact(small, arm):
    ratio = 0.0 if arm == "none" else 0.5
    task = {"model": "test_resnet", "arm": arm, "ratio": ratio, "seed": 1, "epochs": 2}
    rows, arrays = rehearsal.carry_out(task, small)
    again, _ = rehearsal.carry_out(task, small)
    assert repr(rows) == repr(again)
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert rows[0]["damage"] == 0
    assert len(arrays["prior_events"]) == 4 * 62
    assert len(arrays["target_events"]) == 3 * 62
    assert np.isnan(rows[1]["damage_rehearsed"]) == (arm == "none")
    assert np.isfinite(rows[2]["rate_error"]) == (arm in rehearsal.TRACKED)


def test_known_rehearses_what_the_prior_had_right_and_the_oracle_what_is_damaged(small):
    task = {"model": "test_resnet", "arm": "known", "ratio": 0.5, "seed": 0, "epochs": 1}
    before = rehearsal.Prior("test_resnet", small)
    run = rehearsal.Run(task, before)
    for step in range(20):
        assert before.known[run.choose(step, 32)].all()
    oracle = rehearsal.Run({**task, "arm": "oracle"}, before)
    oracle.train(1)
    damaged = oracle.damaged()
    drawn = oracle.choose(5 * 1000, 32)  # a step at which it looks
    assert damaged.any()
    assert damaged[drawn].all()
    many = np.concatenate([oracle.choose(5 * n + 1, 500) for n in range(40)])  # it looks no more
    counts = np.bincount(many, minlength=len(damaged))[oracle.found]
    halves = np.array_split(counts, 2)
    assert halves[0].mean() == pytest.approx(halves[1].mean(), rel=0.05)  # no row is favoured
    fresh = rehearsal.Run({**task, "arm": "oracle"}, before)
    assert len(fresh.choose(0, 16)) == 16  # nothing is damaged yet: random


def test_the_charged_arm_pays_for_its_looks(small):
    task = {"model": "test_resnet", "arm": "charged", "ratio": 0.5, "seed": 0, "epochs": 1}
    run = rehearsal.Run(task, rehearsal.Prior("test_resnet", small))
    kept = len(run.choose(0, 32))
    looked = round((32 - kept) / rehearsal.LOOK_COST)
    assert kept + looked * rehearsal.LOOK_COST == pytest.approx(32)


def test_shuffled_bins_have_the_sizes_of_loss_bins(small):
    task = {"model": "test_resnet", "ratio": 0.5, "seed": 0, "epochs": 1}
    before = rehearsal.Prior("test_resnet", small)
    one, two = (
        rehearsal.Run({**task, "arm": arm}, before).bins() for arm in ("loss bins", "shuffled")
    )
    assert (np.bincount(one) == np.bincount(two)).all()
    assert not (one == two).all()


def test_typefaces_of_training_choosing_and_pool_are_different():
    labels = np.repeat(np.arange(3), 10)
    train, choose = adapt.by_class(labels, 4), adapt.by_class(labels, 3, skip=4)
    assert not set(train) & set(choose)
    assert np.bincount(labels[train]).tolist() == [4, 4, 4]
    assert np.bincount(labels[choose]).tolist() == [3, 3, 3]


def test_the_sampling_study_pairs_its_arms(tmp_path):
    task = {"dataset": "glyphs", "model": "test_resnet", "epochs": 2, "limit": 62, "seed": 0}
    plans = {arm: sampling.plan({**task, "arm": arm}, tmp_path) for arm in sampling.ARMS}
    assert len({plan.run_id for plan in plans.values()}) == len(sampling.ARMS)
    assert {plan.seeds for plan in plans.values()} == {streams.Seeds.of_run(0, split=0)}
    one, two = (pd.read_csv(plans[a].constants) for a in ("oracle", "shuffled"))
    assert one.equals(two)  # the control permutes them itself
    assert (one["decay_constant"] >= 0).all()
    rows, arrays = sampling.carry_out({**task, "arm": "oracle"}, tmp_path)
    assert rows[0]["class_accuracy"] == pytest.approx(rows[0]["test_accuracy"])  # equal classes
    assert rows[0]["worst_class_accuracy"] <= rows[0]["class_accuracy"]
    assert len(arrays["events"]) == 62
    rows_again, _ = sampling.carry_out({**task, "arm": "oracle"}, tmp_path)  # a finished run
    assert rows == rows_again
