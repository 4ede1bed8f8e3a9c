"""lethe.analysis.collateral: what bins could gain and did gain, against plain sums and by lot."""

import numpy as np
import pandas as pd
import pytest

from lethe.analysis import collateral
from lethe.capture import rehearsal
from lethe.errors import LetheError


@pytest.fixture
def table():
    """Two seeds of four arms over three epochs, numbers by hand."""
    rows = [
        {"model": "m", "arm": arm, "ratio": 0.5 * (arm != "none"), "seed": seed, "epoch": epoch,
         "damage": 0.1 * epoch, "damage_rehearsed": times * 0.1 * (epoch - 0.5),
         "gain_loss_bins": 1.0 + epoch, "gain_class_bins": 2.0, "gain_both": 3.0,
         "rate_error": 0.05}
        for arm, times in (("none", 0), ("random", 1.1), ("loss bins", 2.2), ("both", 3.3))
        for seed in (0, 1) for epoch in (0, 1, 2, 3)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_enrichment_is_what_was_rehearsed_over_the_pool(table):
    found = collateral.enrichment(table, "loss bins", 0.1)
    assert found.index.tolist() == [0, 1]
    assert found["measured"].tolist() == pytest.approx([2.2, 2.2])
    assert found["ruler"].tolist() == pytest.approx([1.1, 1.1])
    assert found["corrected"].tolist() == pytest.approx([2, 2])
    halfway = np.mean([2.5, 3.5])  # of gains 2, 3, 4
    assert found["formula"].tolist() == pytest.approx([0.9 * halfway + 0.1] * 2)
    assert found["match"].tolist() == pytest.approx([2 / (0.9 * halfway + 0.1)] * 2)
    assert collateral.enrichment(table, "both", 0.1)["formula"].tolist() == pytest.approx(
        [2.8, 2.8]
    )


def test_epochs_may_come_in_any_order(table):
    mixed = table.sample(frac=1, random_state=0)
    a, b = (collateral.enrichment(t, "loss bins", 0.1) for t in (table, mixed))
    pd.testing.assert_frame_equal(a, b)


def test_the_first_epoch_is_left_out(table):
    table.loc[table["epoch"] == 1, "damage_rehearsed"] = 99.0
    assert collateral.seen(table, "random").tolist() == pytest.approx([1.1 * 0.2] * 2)


def test_tracking_is_told_in_spreads(table):
    found = collateral.tracking(table, "loss bins", 2)
    assert found["spread"].tolist() == pytest.approx([0.2 * np.sqrt(2)] * 2)
    assert found["relative"].tolist() == pytest.approx([0.05 / (0.2 * np.sqrt(2))] * 2)


def test_one_network_at_one_ratio_keeps_the_runs_without_rehearsal(table):
    more = pd.concat([table, table.assign(model="n"), table.assign(ratio=0.125)])
    found = collateral.alone(more, "m", 0.5)
    assert set(found["model"]) == {"m"}
    assert set(found["ratio"]) == {0.0, 0.5}
    assert len(collateral.at(found, 3)) == 8


def test_arms_without_bins_have_no_formula(table):
    assert collateral.gain_column("class bins") == "gain_class_bins"
    with pytest.raises(LetheError, match=r"no partition 'loss bin'.*'loss bins'"):
        collateral.gain_column("loss bin")
    found = collateral.enrichment(table, "random", 0.1)
    assert found["corrected"].tolist() == pytest.approx([1, 1])
    assert found["match"].isna().all()


@pytest.mark.parametrize("bins", [10, 62, 186])
def test_bins_of_lots_gain_what_the_hypergeometric_law_says(bins):
    rng = np.random.default_rng(0)
    damaged = np.arange(3100) < 310
    lots = [rehearsal.quantile_bins(rng.random(3100), bins) for _ in range(300)]
    gains = [rehearsal.enrichment(lot, damaged) for lot in lots]
    error = np.std(gains) / np.sqrt(len(gains))
    assert np.mean(gains) == pytest.approx(collateral.ignorant_gain(3100, bins, 0.1), abs=4 * error)
    assert np.isnan(collateral.ignorant_gain(3100, bins, 0.0))
