"""Planted label noise: the definition, the ledger, and that nothing else changes."""

import hashlib
import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from typer.testing import CliRunner

from lethe.capture import finetune, plan_run
from lethe.cli import app
from lethe.datasets import load
from lethe.datasets.images import Images
from lethe.datasets.noise import ledger, plant_noise, read_noise
from lethe.errors import LetheError

BOTH = "symmetric:0.05,pair:0.05"


def images(n=400, classes=5, shift=0):
    """Small images in a chosen order, with ids of their own."""
    ids = np.roll([f"c/{i}.png" for i in range(n)], shift)
    labels = np.array([int(name[2:-4]) % classes for name in ids])
    pixels = np.zeros((n, 2, 2, 1), np.uint8)
    columns = pd.DataFrame({"family": [f"f{i}" for i in labels]})
    return Images("zoo", pixels, labels, [*"abcdefgh"[:classes]], ids, columns)


def slow_noise(data, shares):
    """The definition, image by image."""
    rank = sorted(
        range(len(data)),
        key=lambda i: hashlib.blake2b(
            f"label noise/{data.sample_ids[i]}".encode(), digest_size=16
        ).hexdigest(),
    )
    kinds = [""] * len(data)
    for kind, share in shares.items():
        for _ in range(round(share * len(data))):
            kinds[rank.pop(0)] = kind
    return kinds


def test_the_definition():
    data = images()
    planted = plant_noise(data, BOTH)
    kinds = slow_noise(data, {"symmetric": 0.05, "pair": 0.05})
    assert list(planted.columns["label_noise"]) == kinds
    assert Counter(kinds) == {"": 360, "symmetric": 20, "pair": 20}
    moved = (planted.labels - data.labels) % 5
    assert set(moved[np.array(kinds) == "pair"]) == {1}
    assert set(moved[np.array(kinds) == ""]) == {0}
    assert 0 not in moved[np.array(kinds) == "symmetric"]
    np.testing.assert_array_equal(planted.columns["clean_label"], data.labels)


def test_symmetric_noise_goes_to_every_other_class_alike():
    data = images(20_000, 5)
    planted = plant_noise(data, "symmetric:0.4")
    moved = (planted.labels - data.labels) % 5
    counts = np.bincount(moved, minlength=5)[1:]
    assert stats.chisquare(counts).pvalue > 0.001
    hit = planted.columns["label_noise"] != ""
    by_class = pd.crosstab(data.labels, hit)
    assert stats.chi2_contingency(by_class).pvalue > 0.001


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 399), st.sampled_from(["symmetric:0.1", "pair:0.2", BOTH]))
def test_the_order_of_the_images_does_not_matter(shift, text):
    one, other = plant_noise(images(), text), plant_noise(images(shift=shift), text)
    labels = dict(zip(one.sample_ids, one.labels))
    assert all(labels[name] == label for name, label in zip(other.sample_ids, other.labels))


def test_more_noise_keeps_the_images_that_were_wrong_already():
    few, many = (plant_noise(images(), f"symmetric:{share}") for share in (0.1, 0.3))
    wrong = [set(ledger(x)["sample_id"]) for x in (few, many)]
    assert wrong[0] < wrong[1]


def test_the_ledger_lists_every_change_and_nothing_else():
    data = images()
    planted = plant_noise(data, BOTH)
    table = ledger(planted)
    assert len(table) == 40
    assert (table["clean"] != table["given"]).all()
    assert set(table["sample_id"]) == set(data.sample_ids[planted.labels != data.labels])
    assert ledger(data).empty
    assert plant_noise(data, "") is data
    assert planted.fingerprint != data.fingerprint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("symetric:0.1", "did you mean 'symmetric'"),
        ("pair", "needs a share between 0 and 1, like pair:0.05"),
        ("pair:1.5", "between 0 and 1"),
        ("pair:nan", "between 0 and 1"),
        ("pair:0.1,pair:0.1", "given twice"),
        ("pair:0.5,symmetric:0.5", "leaves no image"),
    ],
)
def test_bad_noise_is_refused(text, message):
    with pytest.raises(LetheError, match=message):
        read_noise(text)
    with pytest.raises(LetheError, match=message):
        plan_run("glyphs", "test_resnet", label_noise=text)


def test_a_class_is_never_emptied():
    ids = np.array([f"{i}" for i in range(10)])
    first = min(
        ids, key=lambda i: hashlib.blake2b(f"label noise/{i}".encode(), digest_size=16).hexdigest()
    )
    pixels, rows = np.zeros((10, 2, 2, 1), np.uint8), pd.DataFrame(index=range(10))
    lonely = Images("zoo", pixels, (ids == first).astype(int), ["a", "b"], ids, rows)
    with pytest.raises(LetheError, match="class 'b' has no image"):
        plant_noise(lonely, "pair:0.1")


def test_a_run_trains_on_the_planted_labels_and_says_so():
    run = plan_run("glyphs", "test_resnet", label_noise="pair:0.10, symmetric:0.05")
    assert run.config()["label_noise"] == "pair:0.1,symmetric:0.05"
    plain = plan_run("glyphs", "test_resnet")
    assert "label_noise" not in plain.config()
    assert run.run_id != plain.run_id
    data = finetune.training_images(run)
    table = finetune.sample_table(data)
    changed = table["label_noise"] != ""
    assert changed.sum() == round(0.1 * len(data)) + round(0.05 * len(data))
    np.testing.assert_array_equal(table["label"] != table["clean_label"], changed)
    few = finetune.training_images(plan_run("glyphs", "test_resnet", label_noise=BOTH, limit=620))
    assert len(few) == 620
    assert 0 < (few.columns["label_noise"] != "").sum() < 124


def test_the_ledger_as_a_command(tmp_path):
    out = tmp_path / "ledger.csv"
    done = CliRunner().invoke(app, ["data", "label-noise", "glyphs", BOTH, "--out", str(out)])
    assert done.exit_code == 0, done.output
    table = pd.read_csv(out, keep_default_na=False)
    planted = plant_noise(load("glyphs", "train", 32), BOTH)
    assert table.to_dict("records") == json.loads(ledger(planted).to_json(orient="records"))
