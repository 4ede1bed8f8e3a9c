"""Study `memory`: its numbers by hand, effects by seed, and what the shipped table must hold."""

import json

import numpy as np
import pandas as pd
import pytest

from lethe.analysis import arms, memory_effects, paired_effects
from lethe.capture.interventions import audit_record
from lethe.errors import LetheError
from lethe.experiments import memory, tasks
from lethe.pages import charts


def test_numbers_of_one_look_by_hand():
    labels = np.array([0, 1, 1])
    before = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    base = np.array([[0.6, 0.4], [0.2, 0.8], [0.4, 0.6]])
    mine = np.array([[0.4, 0.6], [0.1, 0.9], [0.4, 0.6]])
    told = memory.numbers(mine, base, before, labels)
    assert told["tv"] == pytest.approx((0.2 + 0.1 + 0) / 3)
    assert told["churn"] == pytest.approx(1 / 3)
    assert told["loss"] == pytest.approx(-np.log([0.4, 0.9, 0.6]).mean())
    assert (told["accuracy"], told["base_accuracy"]) == pytest.approx((2 / 3, 1))
    assert (told["forgotten"], told["base_forgotten"]) == pytest.approx((1 / 3, 0))


def test_a_network_that_broke_has_no_numbers():
    fine = np.full((3, 2), 0.5)
    told = memory.numbers(fine * np.nan, fine, fine, np.zeros(3, int))
    assert np.isnan([told["tv"], told["loss"]]).all()
    assert memory.numbers(fine, fine, fine, np.zeros(3, int))["tv"] == 0


def table(n_seeds: int = 10) -> pd.DataFrame:
    """Effects with a known course: distance 0.1 / (1 + h) x seed factor, loss 0.02 higher."""
    rows = []
    for seed in range(n_seeds):
        for arm in ("rerun", "reset", "swap", "reset + swap", "seed change"):
            for h in (0, 1, 10):
                size = {"rerun": 0.0, "seed change": 0.3}.get(arm, 0.1 / (1 + h)) * (1 + seed / 10)
                extra = {"reset": 0.02, "swap": 0.01, "reset + swap": 0.05}.get(arm, 0.0)
                row = {"process": "toy", "arm": arm, "readout": "model", "probe": "test"}
                row |= {
                    "seed": seed,
                    "horizon": h,
                    "tv": size,
                    "base_loss": seed,
                    "task": f"t{seed}",
                }
                rows.append(row | {"loss": seed + extra * (1 + seed / 100)})
    return pd.DataFrame(rows)


def test_effects_by_seed():
    found = memory_effects.effect(table(), "toy", "reset")
    assert found.at(1) == pytest.approx(0.05 * (1 + np.arange(10) / 10))
    assert found.lifetime == (1, 1, 1)
    assert found.interval(1).estimate == pytest.approx(0.05 * 1.45)
    assert memory_effects.arms_of(table(), "toy") == ["reset", "swap", "reset + swap"]
    share = memory_effects.relative(table(), "toy", "reset", 1)
    assert (share.estimate, share.low, share.high) == pytest.approx((1 / 6, 1 / 6, 1 / 6))
    over = memory_effects.over_horizons(table(), "toy", ["reset", "rerun"])
    assert over["mean"].tolist()[3:] == [0, 0, 0]


def test_own_metrics_over_horizons():
    found = memory_effects.own_over_horizons(table(), "toy", ["untouched", "reset"], "loss", "test")
    means = found.groupby("arm")["mean"].first()
    assert means["untouched"] == pytest.approx(4.5)
    assert means["reset"] == pytest.approx(4.5 + 0.02 * 1.045)


def test_signed_effects_and_their_tests():
    loss = memory_effects.effect(table(), "toy", "reset", "loss").at(10)
    assert loss == pytest.approx(0.02 * (1 + np.arange(10) / 100))
    cells = [("toy", "reset"), ("toy", "swap"), ("toy", "rerun")]
    told = memory_effects.tested(table(), cells, "loss", 10)
    assert told["p"].tolist() == pytest.approx([2**-9, 2**-9, 1])
    assert told["adjusted"].tolist() == pytest.approx([3 * 2**-10, 3 * 2**-10, 1])
    assert told["differs"].tolist() == [True, True, False]
    joint = memory_effects.interaction(table(), "toy", "reset", "swap", "reset + swap", "loss", 1)
    assert joint.estimate == pytest.approx(0.02 * 1.045)


def test_what_cannot_be_asked_of_a_table():
    with pytest.raises(LetheError, match="unknown metric 'tvv'"):
        memory_effects.effect(table(), "toy", "reset", "tvv")
    with pytest.raises(LetheError, match="no rows with arm 'rest'"):
        memory_effects.effect(table(), "toy", "rest")
    with pytest.raises(LetheError, match="no look at horizon 7: there are 0, 1, 10"):
        memory_effects.effect(table(), "toy", "reset").at(7)
    with pytest.raises(LetheError, match="its sign tells nothing"):
        memory_effects.tested(table(), [("toy", "reset")], "tv", 1)
    with pytest.raises(LetheError, match="distances do not add up"):
        memory_effects.interaction(table(), "toy", "reset", "swap", "reset + swap", "tv", 1)
    lacking = table().drop(index=5)
    with pytest.raises(LetheError, match="a seed has no finite tv"):
        memory_effects.effect(lacking, "toy", "reset")


def test_few_seeds_give_no_verdict():
    found = memory_effects.effect(table(5), "toy", "reset").interval(1)
    assert not found.can_judge


def test_the_chart_draws_zero_at_its_floor():
    over = memory_effects.over_horizons(table(), "toy", ["reset", "rerun", "seed change"])
    words = {"title": "t", "description": "d", "y_title": "tv"}
    drawn = charts.horizons(over, dashed="seed change", **words).to_dict()
    rows = next(iter(drawn["datasets"].values()))
    assert min(row["at_mean"] for row in rows) == 1e-4
    assert min(row["mean"] for row in rows) == 0
    with pytest.raises(LetheError, match="up to 7 arms"):
        charts.horizons(over.drop(columns="low"), **words)


# the shipped table


@pytest.fixture(scope="module")
def shipped():
    return arms.read_study("memory")


def test_every_process_has_its_seeds(shipped):
    seeds = shipped.groupby("process")["seed"].nunique()
    assert set(seeds.index) == set(memory.PROCESSES)
    assert seeds.pop("resnet sgd, one cycle") == memory.FEW
    assert (seeds == memory.SEEDS).all()


def test_rerun_and_placebo_are_exactly_zero(shipped):
    floor = shipped[shipped["arm"].isin(memory_effects.FLOOR)]
    assert len(floor) > 1000
    assert (floor[list(memory_effects.DISTANCES)] == 0).all().all()


def test_batch_norm_arms_never_move_a_prediction_for_good(shipped):
    found = memory_effects.effect(shipped, "resnet sgd", "BatchNorm reset")
    assert (found.at(0) > 0.5).all()
    assert (found.at(100) < 1e-3).all()


def test_every_shipped_audit_record_follows_the_schema(shipped):
    names = shipped["task"].unique()
    for name in names:
        record = json.loads(bytes(arms.read_arrays("memory", "audit", [name])[0]))
        audit_record.check(record)
        assert record["rerun_floor"] == 0
        assert record["begun"] <= record["ended"]
        assert record["question"]["margin"]["tv"] == 0.01


def test_shipped_gaps_follow_their_closed_forms(shipped):
    runs = shipped[shipped["process"] == "resnet sgd"].drop_duplicates("seed")["task"]
    horizons = np.array(sorted(shipped["horizon"].unique()), float)
    norm = arms.read_arrays("memory", "batch norm of BatchNorm reset", runs)
    assert norm[:, :6] / norm[:, :1] == pytest.approx(
        np.tile(0.9 ** horizons[:6], (len(runs), 1)), rel=1e-3
    )
    average = arms.read_arrays("memory", "teacher of teacher reset", runs)
    assert average / average[:, :1] == pytest.approx(
        np.tile(0.99**horizons, (len(runs), 1)), rel=1e-3
    )
    cosine = arms.read_arrays("memory", "cosine of momentum reset", runs)
    assert (cosine[:, 0] > 0.9999).all()


def test_the_lists_of_tasks():
    every = memory.STUDY.tasks()
    assert len({tasks.task_id(t) for t in every}) == len(every) == 46
    assert {t["last"] for t in memory.STUDY.tasks(quick=True)} == {20}
    assert all(t["preset"] == "book" for t in memory.STUDY.tasks(large=True))


@pytest.mark.slow
def test_a_quick_task_runs(tmp_path):
    rows, arrays = memory.carry_out({"process": "vit adamw", "seed": 1000, "last": 20}, tmp_path)
    found = pd.DataFrame(rows)
    assert (found[found["arm"] == "placebo"]["tv"] == 0).all()
    assert (found[(found["arm"] == "Adam reset, full") & (found["horizon"] == 1)]["tv"] > 0).all()
    audit_record.check(json.loads(bytes(arrays["audit"])))


def test_student_beside_bca():
    values = np.random.default_rng(0).normal(1, 0.1, 10)
    pair = paired_effects.bca_interval(values), paired_effects.student_interval(values)
    assert pair[0].estimate == pytest.approx(pair[1].estimate)
    assert pair[0].high - pair[0].low < pair[1].high - pair[1].low
