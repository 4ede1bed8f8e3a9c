"""Traces from elsewhere: what each system would log of one training comes to the same traces."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from foreign_logs import Training, as_aum, as_cartography, as_csv, as_toneva, train
from typer.testing import CliRunner

from lethe.analysis import scores
from lethe.cli import app
from lethe.errors import LetheError
from lethe.pages.stores import captured
from lethe.traces import class_names, open_traces
from lethe.traces.exchange import FORMATS, import_traces, long_table, told, write_store
from lethe.traces.exchange.safe_pickle import read_pickle

NAMES = {"dataset": "toy", "model": "net"}
FLOATS = ("loss", "margin", "error_l2")


@pytest.fixture(scope="module")
def run():
    return train()


def check(ds: xr.Dataset, run, floats: tuple[str, ...], view: str = "train") -> None:
    expected = run.traces(view)
    assert ds["sample"].values.tolist() == expected["sample"].values.tolist()
    assert ds["epoch"].values.tolist() == expected["epoch"].values.tolist()
    assert ds["seed"].values.tolist() == expected["seed"].values.tolist()
    np.testing.assert_array_equal(
        ds["prediction"] == ds["label"], expected["prediction"] == expected["label"]
    )
    for name in FLOATS:
        if name in floats:
            np.testing.assert_allclose(ds[name], expected[name], rtol=1e-5, atol=1e-5)
        else:
            assert bool(ds[name].isnull().all()), name


def test_cartography_gives_all_four_variables(run, tmp_path):
    ds = import_traces(as_cartography(run, tmp_path), **NAMES)
    check(ds, run, FLOATS)
    np.testing.assert_array_equal(ds["prediction"], run.traces()["prediction"])
    np.testing.assert_array_equal(ds["label"], run.label)


def test_cartography_of_a_clean_pass_counts_from_zero(run, tmp_path):
    ds = import_traces(as_cartography(run, tmp_path), view="eval", **NAMES)
    check(ds, run, FLOATS, "eval")


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_toneva_gives_right_or_wrong_loss_and_margin(run, tmp_path, protocol):
    ds = import_traces(as_toneva(run, tmp_path, protocol), **NAMES)
    check(ds, run, ("loss", "margin"))
    assert class_names(ds) == ["(unknown)", "(wrong)"]
    np.testing.assert_allclose(ds["test_accuracy"], [[0.50, 0.51, 0.52, 0.53]] * 2)
    assert json.loads(ds.attrs["config"])["prediction"] == "right or wrong only"


def test_a_pickle_of_python_2_is_read(tmp_path):
    """As Python 2 and old NumPy write {numpy.int64(7): [[0.5], [1], [2.0]]}, by hand."""
    state = r"S'\x07\x00\x00\x00\x00\x00\x00\x00'"
    text = (
        "(dp0\ncnumpy.core.multiarray\nscalar\np1\n(cnumpy\ndtype\np2\n(S'i8'\nI0\nI1\ntRp3\n"
        f"(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb{state}\ntRp4\n(lp5\n(lp6\nF0.5\naa(lp7\nI1\naa(lp8\nF2.0\naas."
    )
    (tmp_path / "old.pkl").write_bytes(text.encode())
    assert read_pickle(tmp_path / "old.pkl") == {7: [[0.5], [1], [2.0]]}


def test_labels_and_columns_come_from_a_table_in_its_order(run, tmp_path):
    table = pd.DataFrame({"sample_id": run.ids, "label": run.label, "text": "a word"})
    table = pd.concat([table.iloc[::-1], pd.DataFrame({"sample_id": [1], "label": [0]})])
    table.to_csv(tmp_path / "samples.csv", index=False)
    files = as_toneva(run, tmp_path)
    ds = import_traces(files, samples=tmp_path / "samples.csv", classes=list("abc"), **NAMES)
    assert ds["sample"].values.tolist() == [str(name) for name in run.ids[::-1]]
    np.testing.assert_array_equal(ds["label"], run.label[::-1])
    assert set(ds["text"].values.tolist()) == {"a word"}
    assert class_names(ds) == ["a", "b", "c", "(wrong)"]
    check(ds.isel(sample=slice(None, None, -1)), run, ("loss", "margin"))


@pytest.mark.parametrize("swapped", [False, True])
def test_aum_in_both_of_its_layouts(run, tmp_path, swapped):
    ds = import_traces(as_aum(run, tmp_path, swapped), **NAMES)
    check(ds, run, ("margin",))
    np.testing.assert_array_equal(ds["prediction"], run.traces()["prediction"])
    np.testing.assert_allclose(scores.score(ds, "aum"), run.margin().mean(1), atol=1e-5)


def test_a_table_in_any_order_of_rows(run, tmp_path):
    ds = import_traces([as_csv(run, tmp_path / "log.csv")], view="train", **NAMES)
    check(ds, run, ("loss",))
    pd.read_csv(tmp_path / "log.csv").to_parquet(tmp_path / "log.parquet", row_group_size=7)
    xr.testing.assert_equal(ds, import_traces([tmp_path / "log.parquet"], view="train", **NAMES))


def test_columns_of_other_names(run, tmp_path):
    file = as_csv(run, tmp_path / "log.csv", sample_id="idx", prediction="y_hat")
    ds = import_traces(
        [file], view="train", columns={"sample_id": "idx", "prediction": "y_hat"}, **NAMES
    )
    check(ds, run, ("loss",))


def test_one_table_a_seed_and_names_for_classes(run, tmp_path):
    frame = pd.read_csv(as_csv(run, tmp_path / "log.csv"))
    names = np.array(["dog", "cat", "eel"])
    for column in ("label", "prediction"):
        frame[column] = names[frame[column]]
    files = [tmp_path / "b.csv", tmp_path / "a.csv"]
    for seed, file in enumerate(files):
        frame[frame["seed"] == seed].drop(columns="seed").to_csv(file, index=False)
    ds = import_traces(files, view="train", **NAMES)
    check(ds, run, ("loss",))
    assert class_names(ds) == ["cat", "dog", "eel"]
    again = import_traces(files, view="train", seeds=[4, 2], classes=names.tolist(), **NAMES)
    assert again["seed"].values.tolist() == [2, 4]
    np.testing.assert_array_equal(again["label"], run.label)
    expected = run.traces()["prediction"].values[::-1]  # seed 4 was given first
    np.testing.assert_array_equal(again["prediction"], expected)


def test_cells_without_a_row_stay_missing(run, tmp_path):
    frame = pd.read_csv(as_csv(run, tmp_path / "log.csv"))
    gone = (frame["sample_id"] == run.ids[3]) & (frame["epoch"] == 2)
    frame["prediction"] = frame["prediction"].astype("Int64").mask(gone & (frame["seed"] == 0))
    frame["loss"] = frame["loss"].mask(gone & (frame["seed"] == 0))
    frame[~gone | (frame["seed"] == 0)].to_csv(tmp_path / "log.csv", index=False)
    ds = import_traces([tmp_path / "log.csv"], view="train", **NAMES)
    assert ds["prediction"].isel(epoch=1, sample=3).values.tolist() == [-1, -1]
    assert np.isnan(ds["loss"].isel(epoch=1, sample=3)).all()
    assert int((ds["prediction"] == -1).sum()) == 2
    assert "missing: 2 of 320 cells have no row" in told(ds)


def test_the_store_keeps_where_it_came_from(run, tmp_path):
    ds = import_traces(as_cartography(run, tmp_path), **NAMES)
    with open_traces(write_store(ds, tmp_path / "toy-net-imported.zarr.zip")) as store:
        origin = json.loads(store.attrs["config"])["imported"]
        assert origin["format"] == "cartography"
        assert origin["first_epoch"] == 0
        assert origin["files"][0]["file"] == "run0/training_dynamics/dynamics_epoch_0.jsonl"
        assert len(origin["files"]) == 8
        assert len(origin["files"][0]["sha256"]) == 64
        np.testing.assert_array_equal(store["loss"], ds["loss"].astype(np.float16))
        np.testing.assert_array_equal(store["prediction"], ds["prediction"])


def test_commands_import_and_export(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LETHE_DATA", str(tmp_path))
    as_csv(run, tmp_path / "log.csv")
    given = ["traces", "import", "log.csv", "--dataset", "toy", "--model", "net"]
    (tmp_path / "traces").mkdir()
    out = ["--out", "traces/toy-net-imported.zarr.zip"]
    refused = CliRunner().invoke(app, [*given, *out])
    assert "give view='train'" in str(refused.exception)
    done = CliRunner().invoke(app, [*given, *out, "--view", "train"])
    assert done.exit_code == 0, done.output
    assert "format: csv, a CSV table, read as view train" in done.output
    assert "not in the logs: margin, error_l2" in done.output
    assert captured().values.tolist() == [["toy", "net", "imported"]]
    shown = CliRunner().invoke(app, ["traces", "show", "toy-net-imported"])
    assert "preset: imported" in shown.output
    assert "seeds: 2" in shown.output
    twice = CliRunner().invoke(app, [*given, *out, "--view", "train"])
    assert "is there already" in str(twice.exception)
    asked = ["traces", "export", "toy-net-imported", "--format", "parquet", "--out", "t.parquet"]
    assert CliRunner().invoke(app, asked).exit_code == 0
    assert len(pd.read_parquet("t.parquet")) == 320


def test_scores_that_need_what_is_missing_are_left_out_or_refused(run, tmp_path):
    ds = import_traces([as_csv(run, tmp_path / "log.csv")], view="train", **NAMES)
    assert "aum" not in scores.available(ds)
    assert "confidence" in scores.available(ds)
    assert bool(scores.all_scores(ds)["variability"].notnull().all())
    with pytest.raises(LetheError, match="area under the margin needs margin, which these traces"):
        scores.score(ds, "aum")


# --- the page -------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[1] / "book" / "import_export.md"


def test_the_examples_of_the_page_run(run, tmp_path, monkeypatch):
    """The plain loop logs a batch an epoch; the Python call reads it, and makes a store."""
    monkeypatch.chdir(tmp_path)
    call, loop = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    space: dict = {}
    exec(loop, space)
    ids = [str(name) for name in run.ids]
    for epoch in range(4):
        space["log_batch"](epoch, ids, run.label, run.logits[0, epoch], run.loss()[0, epoch])
    space["file"].close()
    exec(call, space)
    check(space["ds"], Training(run.logits[:1], run.label, run.ids), ("loss",))
    assert (tmp_path / "pets.nc").is_file()
    assert str(space["store"]) == "pets-mynet-imported.zarr.zip"


def test_the_page_names_every_option_and_column():
    text = PAGE.read_text()
    shown = CliRunner().invoke(app, ["traces", "import", "--help"], env={"COLUMNS": "200"}).output
    options = set(re.findall(r"--[a-z]+(?:-[a-z]+)*", shown)) - {"--help"}
    assert {f for f in options if f not in text} == set()
    assert {name for name in long_table.KNOWN if f"`{name}`" not in text} == set()
    assert {name for name in FORMATS if f"`{name}`" not in text} == set()
