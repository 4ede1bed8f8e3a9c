"""Study bridge: the joint head, what an arm may move, and rows that keep their sums; its charts."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch

from lethe.analysis import mass_and_drift as md
from lethe.errors import LetheError
from lethe.experiments import adapt, bridge, prior, tasks
from lethe.pages import courses

KEPT = {"none": set(), "head only": {"body"}, "new rows only": {"body", "old"}}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The study on few typefaces and few images."""
    patch = pytest.MonkeyPatch()
    for name, value in {"EACH": 2, "JUDGE": 1, "START_EACH": 1, "REFIT_EACH": 1}.items():
        patch.setattr(bridge, name, value)
    whole = prior.resident
    sizes = {"pretrain": 36, "pretrain_test": 10}
    few = {s: adapt.part(whole(s), np.arange(0, len(whole(s)), n)) for s, n in sizes.items()}
    patch.setattr(prior, "resident", lambda split, px=32: few.get(split) or whole(split, px))
    torch.set_num_threads(1)
    yield tmp_path_factory.mktemp("bridge")
    patch.undo()


def task(arm, ratio=0.0, seed=0, model="test_resnet"):
    rate = bridge.RATES[model][0]
    return {"model": model, "arm": arm, "ratio": ratio, "rate": rate, "seed": seed, "epochs": 1}


def begun(settings, place):
    recipe = bridge.find_recipe("quick", settings["model"], learning_rate=settings["rate"])
    recipe = bridge.replace(recipe, epochs=1)
    known = prior.letters(settings["model"], place)
    return bridge.Run(settings, recipe, bridge.Data(32), known)


def test_all_arms_are_paired_by_seed_and_the_other_rate_is_for_none_alone():
    every = pd.DataFrame(bridge.tasks())
    other = every[[r != bridge.RATES[m][0] for m, r in zip(every["model"], every["rate"])]]
    assert set(other["arm"]) == {"none"}
    counts = every.drop(other.index).groupby(["model", "arm", "ratio"])["seed"].nunique()
    assert (counts == bridge.SEEDS).all()
    assert tasks.find_study("bridge") is bridge.STUDY


def test_looks_are_quarters_of_the_first_epoch_and_ends():
    assert bridge.looks(20, 1) == {5, 10, 15, 20}
    assert bridge.looks(26, 1) == {6, 13, 20, 26}
    assert bridge.looks(20, 3) == {60}


def test_the_joint_head_holds_the_old_rows_and_new_ones_of_the_seed(small):
    known = prior.letters("test_resnet", small)
    model = bridge.with_new_rows(known, 62, 3)
    head, rows = model.get_classifier(), known.get_classifier()
    assert torch.equal(head.old.weight, rows.weight)
    assert head.old.weight is not rows.weight
    assert head.new.weight.shape == (62, rows.in_features)
    assert float(head.new.weight.detach().std()) == pytest.approx(0.02, rel=0.1)
    same, other = (bridge.with_new_rows(known, 62, s).get_classifier() for s in (3, 4))
    assert torch.equal(head.new.weight, same.new.weight)
    assert not torch.equal(head.new.weight, other.new.weight)
    x = torch.zeros(2, 1, 32, 32)
    logits = model.eval()(x)
    assert logits.shape == (2, 458 + 62)
    assert torch.allclose(logits[:, :458], known.eval()(x), atol=1e-6)


@pytest.mark.parametrize("arm", KEPT)
def test_an_arm_moves_what_it_may_and_nothing_else(small, arm):
    run = begun(task(arm), small)
    before = copy.deepcopy(run.model.state_dict())
    run.train(1)
    changed = {
        "old" if ".old." in name else "new" if ".new." in name else "body"
        for name, tensor in run.model.state_dict().items()
        if not torch.equal(tensor, before[name])
    }
    assert changed == {"old", "new", "body"} - KEPT[arm]


def test_only_new_rows_is_mass_alone_and_rows_keep_their_sums(small):
    rows, arrays = bridge.carry_out(task("new rows only"), small)
    assert (rows[0]["epoch"], rows[-1]["epoch"]) == (0, 1)
    for row in rows:
        assert row["tv_old"] == pytest.approx(0, abs=1e-9)
        assert row["kl_old"] == pytest.approx(0, abs=1e-9)
        assert row["right"] + row["taken"] == pytest.approx(row["old_rows"], abs=1e-3)
        assert sum(row[name] for name in md.OUTCOMES) == pytest.approx(1)
        assert row["kl_total"] == pytest.approx(row["kl_mass"] + row["kl_old"] + row["kl_new"])
    assert rows[-1]["kl_mass"] > 0
    assert np.nanmax(np.abs(arrays["drift"].astype(float))) < 1e-3
    assert set(arrays) == {"mass_lost", "drift", "order_lost"}


def test_a_run_is_a_function_of_its_settings(small):
    one, two = (bridge.carry_out(task("replay", 0.5), small) for _ in range(2))
    assert one[0] == two[0]
    assert all(np.array_equal(one[1][k], two[1][k], equal_nan=True) for k in one[1])
    other, _ = bridge.carry_out(task("replay", 0.5, seed=1), small)
    assert one[0][-1] != other[-1]


def test_by_class_distances_come_with_none(small):
    rows, arrays = bridge.carry_out(task("none", model="test_vit"), small)
    assert {"distance", "nearest", "sure"} <= set(arrays)
    assert arrays["distance"].shape == (458,)
    assert arrays["nearest"].max() < 62
    assert 0 < rows[0]["refit"] <= 1


def test_taught_and_dealt_labels(small):
    run = begun(task("distilled", 0.5), small)
    images = torch.zeros(2, 1, 32, 32)
    taught = run.taught(images)
    assert taught.sum(1).tolist() == pytest.approx([1, 1])
    assert float(taught[:, 458:].sum()) == 0
    dealt = begun(task("shuffled", 0.5), small)
    assert not torch.equal(dealt.labels, dealt.data.pool.labels)
    assert torch.equal(dealt.labels.sort()[0], dealt.data.pool.labels.sort()[0])


def course_table():
    rows = [{"t": t, "arm": a, "m": t / 2, "w": 1 - t} for a in ("a", "b") for t in (0.0, 1.0)]
    return pd.DataFrame(rows)


def test_courses_are_linked_and_say_their_ends():
    words = {"title": "T", "description": "D", "x_title": "epoch"}
    chart = courses.courses(course_table(), "t", {"m": "mass", "w": "within"}, "arm", **words)
    spec = chart.to_dict()
    assert len(spec["hconcat"]) == 2
    assert [p["name"] for p in spec["params"]] == ["clicked", "listed"]  # legend, list
    assert spec["usermeta"]["table"]["mass, last"] == ["0.500", "0.500"]
    with pytest.raises(LetheError, match="no column 'mas'"):
        courses.courses(course_table(), "t", {"mas": "mass"}, "arm", **words)
    many = pd.concat(course_table().assign(arm=f"a{k}") for k in range(9))
    with pytest.raises(LetheError, match="9 colours"):
        courses.courses(many, "t", {"m": "mass"}, "arm", **words)


def test_stacks_keep_their_order_and_their_sums():
    table = pd.DataFrame({"arm": ["b", "a"], "one": [0.1, 0.2], "two": [0.3, -0.1]})
    words = {"title": "T", "description": "D", "x_title": "share"}
    chart = courses.stacks(table, {"one": "first", "two": "second"}, "arm", **words)
    spec = chart.to_dict()
    assert spec["layer"][0]["encoding"]["y"]["sort"] == ["b", "a"]
    assert spec["usermeta"]["table"]["together"] == ["40.0%", "10.0%"]
    with pytest.raises(LetheError, match="no column 'three'"):
        courses.stacks(table, {"three": "third"}, "arm", **words)
    with pytest.raises(LetheError, match="5 parts"):
        courses.stacks(
            table.assign(c=0, d=0, e=0),
            dict.fromkeys(["one", "two", "c", "d", "e"], ""),
            "arm",
            **words,
        )
