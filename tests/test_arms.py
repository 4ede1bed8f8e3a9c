"""Arms against each other: pairs by seed and fronts, against scipy and plain loops."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lethe.analysis import arms
from lethe.errors import LetheError


@pytest.fixture
def table():
    draw = np.random.default_rng(0)
    rows = [
        {"arm": arm, "seed": seed, "rate": rate, "epoch": epoch, "validation": draw.random(),
         "target": draw.random(), "retained": draw.random()}
        for arm in ("a", "b") for seed in range(6) for rate in (1, 2) for epoch in (1, 2, 3)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def one(table):
    return table[(table["rate"] == 1) & (table["epoch"] == 3)]


def test_a_paired_difference_is_scipys(table):
    rows = one(table)
    found = arms.paired(rows, "target", "a", "b")
    a, b = (rows[rows.arm == arm].sort_values("seed")["target"] for arm in "ab")
    wanted = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert found.n_seeds == 6
    turned = arms.paired(rows, "target", "b", "a")
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_pairs_do_not_depend_on_row_order_and_leave_out_lonely_seeds(table):
    rows = one(table)
    mixed = rows.sample(frac=1, random_state=1)
    assert arms.paired(mixed, "target", "a", "b") == arms.paired(rows, "target", "a", "b")
    lacking = rows[~((rows.arm == "a") & (rows.seed == 2))]
    assert arms.paired(lacking, "target", "a", "b").n_seeds == 5


def test_one_seed_has_no_interval(table):
    rows = one(table)
    found = arms.paired(rows[rows.seed == 0], "target", "a", "b")
    assert np.isfinite(found.estimate)
    assert np.isnan(found.low)
    assert not found.can_judge
    assert np.isnan(arms.mean_interval(np.array([np.nan])).estimate)


def test_gaps_are_the_differences_that_are_averaged(table):
    rows = one(table)
    found = arms.gaps(rows, "target", "a", "b")
    assert list(found.index) == list(range(6))
    assert arms.paired(rows, "target", "a", "b").estimate == pytest.approx(found.mean())


def test_rows_are_chosen_by_their_settings(table):
    assert arms.only(table, rate=1, epoch=3).equals(one(table))
    assert arms.only(table, arm="a").attrs == table.attrs
    with pytest.raises(LetheError, match=r"no rows with arm 'aa': did you mean 'a'"):
        arms.only(table, rate=1, arm="aa")


def test_the_band_of_seeds_holds_differences_that_are_due_to_seeds_alone():
    draws = np.random.default_rng(1).normal(size=(2, 4000, 10))
    bands = np.array([arms.seed_band(values) for values in draws[0]])
    assert bands[:, 0] == pytest.approx(-bands[:, 1])
    differences = draws[0].mean(1) - draws[1].mean(1)
    assert np.mean(np.abs(differences) < bands[:, 1].mean()) == pytest.approx(0.95, abs=0.02)
    assert np.isnan(arms.seed_band(np.ones(1))).all()


def test_wrong_arms_metrics_and_several_rows_are_named(table):
    with pytest.raises(LetheError, match="no arm 'aa'"):
        arms.paired(one(table), "target", "aa", "b")
    with pytest.raises(LetheError, match=r"no column 'targt'.*target"):
        arms.paired(one(table), "targt", "a", "b")
    with pytest.raises(LetheError, match="several rows a seed"):
        arms.paired(table, "target", "a", "b")


def test_the_setting_with_the_best_validation_is_chosen_for_each_arm(table):
    chosen = arms.choose(table, "validation", ["rate", "epoch"])
    for arm, rows in table.groupby("arm"):
        means = {key: part["validation"].mean() for key, part in rows.groupby(["rate", "epoch"])}
        rate, epoch = max(means, key=means.get)
        kept = chosen[chosen.arm == arm]
        assert set(zip(kept.rate, kept.epoch)) == {(rate, epoch)}
        assert len(kept) == 6


points = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12)


@given(points)
def test_a_front_is_what_nothing_dominates(pairs):
    x, y = np.array(pairs).T
    slow = [
        not any(
            a >= x[i] and b >= y[i] and (a > x[i] or b > y[i]) for a, b in zip(x, y, strict=True)
        )
        for i in range(len(x))
    ]
    assert list(arms.on_front(x, y)) == slow
    assert arms.on_front(x, y).any()


def test_what_is_kept_at_a_target(table):
    found = arms.kept_at(table, "a", 0.5)
    for seed, value in found.items():
        rows = table[(table.arm == "a") & (table.seed == seed) & (table.target >= 0.5)]
        assert value == rows.retained.max() if len(rows) else np.isnan(value)
    assert arms.kept_at(table, "a", 2.0).isna().all()
    assert arms.matched(table, "a", "b", 2.0).n_seeds == 0
    gap = arms.kept_at(table, "a", 0.5) - arms.kept_at(table, "b", 0.5)
    assert arms.matched(table, "a", "b", 0.5).estimate == pytest.approx(np.nanmean(gap))


def test_a_goal_that_both_arms_reach_is_set_seed_by_seed(table):
    gaps = []
    for seed in range(6):
        a, b = (table[(table.arm == arm) & (table.seed == seed)] for arm in "ab")
        goal = min(a.target.max(), b.target.max()) - 0.1
        gaps.append(a[a.target >= goal].retained.max() - b[b.target >= goal].retained.max())
    found = arms.matched_pair(table, "a", "b", 0.1)
    wanted = arms.mean_interval(np.array(gaps))
    assert (found.estimate, found.low, found.high, found.n_seeds) == pytest.approx(
        (wanted.estimate, wanted.low, wanted.high, 6)
    )
    everything = arms.matched_pair(table, "a", "b", 1.0)  # a goal that all networks reach
    most = table.groupby(["arm", "seed"]).retained.max().unstack(0)
    assert everything.estimate == pytest.approx((most["a"] - most["b"]).mean())
    lacking = table[~((table.arm == "b") & (table.seed == 3))]
    assert arms.matched_pair(lacking, "a", "b", 0.1).n_seeds == 5
    with pytest.raises(LetheError, match="compares nothing"):
        arms.matched_pair(table, "a", "b", -0.1)


def test_a_table_that_was_changed_is_refused(tmp_path):
    text = "task,arm,seed,target\nx,a,0,0.5\n"
    (tmp_path / "study.csv").write_text(text)
    import hashlib

    digest = hashlib.sha256(text.encode()).hexdigest()
    (tmp_path / "study.json").write_text(json.dumps({"table_sha256": digest, "tasks": 1}))
    assert arms.read_study("study", tmp_path).attrs["tasks"] == 1
    np.savez(tmp_path / "study.npz", **{"events/x": np.arange(3)})
    assert arms.read_arrays("study", "events", ["x"], tmp_path).tolist() == [[0, 1, 2]]
    with pytest.raises(LetheError, match="no 'events' of task y"):
        arms.read_arrays("study", "events", ["y"], tmp_path)
    with pytest.raises(LetheError, match=r"no results of 'stud'.*study"):
        arms.read_study("stud", tmp_path)
    (tmp_path / "study.csv").write_text(text.replace("0.5", "0.6"))
    with pytest.raises(LetheError, match="collect the study again"):
        arms.read_study("study", tmp_path)
