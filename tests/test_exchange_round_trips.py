"""Out to a format and back: exact where the format can hold it, and nothing more is claimed.

`KEPT` is the table of the page "Traces from elsewhere"; a test reads the page against it.
"""

import json
import pickle
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from foreign_logs import train
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lethe.errors import LetheError
from lethe.traces import class_names, complete, from_arrays, match_samples, open_traces
from lethe.traces.exchange import FORMATS, export_traces, import_traces, write_store
from lethe.traces.exchange.cartography import from_logits, to_logits

NAMES = {"dataset": "toy", "model": "net", "view": "eval"}
FLOATS = ("loss", "margin", "error_l2")
EXACT, NEAR, LOST = "exact", "near", "lost"
KEPT = {
    "cartography": {"prediction": EXACT, "loss": NEAR, "margin": NEAR, "error_l2": LOST},
    "toneva": {"prediction": "right or wrong", "loss": EXACT, "margin": EXACT, "error_l2": LOST},
    "aum": {"prediction": EXACT, "loss": LOST, "margin": EXACT, "error_l2": LOST},
    "csv": dict.fromkeys(("prediction", "loss", "margin", "error_l2"), EXACT),
    "parquet": dict.fromkeys(("prediction", "loss", "margin", "error_l2"), EXACT),
    "netcdf": dict.fromkeys(("prediction", "loss", "margin", "error_l2"), EXACT),
}
HOLDS_GAPS = {"cartography", "csv", "parquet", "netcdf"}


def files_of(kind: str, out: Path) -> list[Path]:
    """What to give to the import of an export, in the order of the seeds."""
    if kind == "cartography":
        return sorted(out.iterdir())
    return (
        sorted(out.rglob({"toneva": "*.pkl", "aum": "full*.csv"}[kind])) if out.is_dir() else [out]
    )


def back(ds: xr.Dataset, kind: str, folder: Path) -> xr.Dataset:
    out = export_traces(ds, kind, folder / f"out.{kind}")
    given = {"samples": out / "samples.csv"} if kind == "toneva" else {}
    given |= {"first_epoch": 1} if FORMATS[kind].by_presentation else {}
    classes = class_names(ds) if kind != "netcdf" else None
    return import_traces(files_of(kind, out), format=kind, classes=classes, **given, **NAMES)


@pytest.fixture(scope="module")
def ds():
    """A clean pass as a store has it: floats of float16 in float64, all predictions there."""
    ds = train().traces("eval")
    return ds.assign({name: ds[name].astype(np.float16).astype(float) for name in FLOATS})


def with_gap(ds: xr.Dataset) -> xr.Dataset:
    gap = (ds["epoch"] == 2) & (ds["sample"] == ds["sample"][5]) & (ds["seed"] == 1)
    floats = {name: ds[name].where(~gap) for name in FLOATS}
    return ds.assign(prediction=ds["prediction"].where(~gap, -1), **floats)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_kept_and_what_is_lost(ds, kind, tmp_path):
    again = back(ds, kind, tmp_path)
    again = match_samples(again, ds["sample"].values)
    for name, how in KEPT[kind].items():
        if how == EXACT:
            np.testing.assert_array_equal(again[name], ds[name], err_msg=name)
        elif how == NEAR:
            np.testing.assert_allclose(again[name], ds[name], rtol=2e-3, atol=2e-3)
        elif how == LOST:
            same = np.isclose(again[name], ds[name], rtol=1e-6)
            assert not same.all(), f"{name} came through after all: say so"
        else:
            np.testing.assert_array_equal(
                again["prediction"] == again["label"], ds["prediction"] == ds["label"]
            )
    np.testing.assert_array_equal(again["label"], ds["label"])
    for dim in ("seed", "epoch", "sample"):
        np.testing.assert_array_equal(again[dim], ds[dim])


@pytest.mark.parametrize("kind", FORMATS)
def test_a_gap_is_kept_or_refused(ds, kind, tmp_path):
    if kind not in HOLDS_GAPS:
        with pytest.raises(LetheError, match="1 cells of seed 1 are missing"):
            export_traces(with_gap(ds), kind, tmp_path / "out")
        assert not list(tmp_path.iterdir())
        return
    again = back(with_gap(ds), kind, tmp_path)
    np.testing.assert_array_equal(again["prediction"] == -1, with_gap(ds)["prediction"] == -1)


@pytest.mark.parametrize("kind", ["cartography", "toneva", "aum"])
def test_a_format_that_needs_what_is_missing_refuses(ds, kind, tmp_path):
    bare = ds.assign(margin=ds["margin"] * np.nan)
    with pytest.raises(LetheError, match=r"have no margin, and .* needs? it"):
        export_traces(bare, kind, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_right_or_wrong_stays_right_or_wrong(ds, tmp_path):
    first = back(ds, "toneva", tmp_path)
    assert class_names(first)[-1] == "(wrong)"
    out = export_traces(first, "csv", tmp_path / "log.csv")
    assert "correct" in pd.read_csv(out).columns
    again = import_traces([out], classes=class_names(ds), **NAMES)
    xr.testing.assert_equal(
        again, first.drop_vars("name").assign(test_accuracy=again["test_accuracy"])
    )
    with pytest.raises(LetheError, match="only know right or wrong"):
        export_traces(first, "cartography", tmp_path / "out")


def test_netcdf_holds_all_of_a_store(tmp_path):
    with open_traces("glyphs-test_resnet-quick") as whole:
        ds = whole.isel(seed=slice(2), epoch=slice(3), sample=slice(50)).load()
    out = export_traces(ds, "netcdf", tmp_path / "t.nc")
    again = import_traces([out], dataset="glyphs", model="test_resnet")
    names = {"dataset": "glyphs", "model": "test_resnet"}
    with pytest.raises(LetheError, match="holds all of a store, so seeds cannot be given"):
        import_traces([out], seeds=[1], **names)
    with pytest.raises(LetheError, match="is of view 'eval', not 'train'"):
        import_traces([out], view="train", **names)
    xr.testing.assert_equal(again, ds)
    assert {**again.attrs, "preset": "", "config": ""} == {**ds.attrs, "preset": "", "config": ""}
    config = json.loads(ds.attrs["config"]) | {"preset": "imported"}
    assert json.loads(again.attrs["config"]) == config
    with open_traces(write_store(again, tmp_path / "a-b-imported.zarr.zip")) as store:
        xr.testing.assert_equal(store.load(), ds)


def test_cartography_s_own_numbers_survive_the_made_up_logits(ds, tmp_path):
    """Confidence, variability, correctness: functions of the label's probability and the argmax."""
    out = export_traces(ds, "cartography", tmp_path / "out")
    frames = [
        pd.read_json(out / f"seed_0/training_dynamics/dynamics_epoch_{n}.jsonl", lines=True)
        for n in range(4)
    ]
    logits = np.array([f[f"logits_epoch_{n}"].tolist() for n, f in enumerate(frames)])
    gold = frames[0]["gold"].to_numpy()
    probability = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    of_label = np.take_along_axis(probability, np.tile(gold[:, None], (4, 1, 1)), -1)[..., 0]
    run = ds.isel(seed=0)
    np.testing.assert_allclose(of_label.mean(0), np.exp(-run["loss"]).mean("epoch"), atol=1e-3)
    np.testing.assert_allclose(of_label.std(0), np.exp(-run["loss"]).std("epoch"), atol=1e-3)
    right = (run["prediction"] == run["label"]).sum("epoch")
    np.testing.assert_array_equal((logits.argmax(-1) == gold).sum(0), right)


def test_toneva_s_own_reader_can_read_the_pickle(ds, tmp_path):
    out = export_traces(ds, "toneva", tmp_path / "out")
    stats = pickle.loads((out / "seed_1__stats_dict.pkl").read_bytes())
    assert all(isinstance(key, int) for key in stats)
    events = [int((np.diff(lists[1]) == -1).sum()) for lists in stats.values()]
    right = (ds["prediction"] == ds["label"]).isel(seed=1).transpose("sample", "epoch").values
    assert events == (right[:, :-1] & ~right[:, 1:]).sum(1).tolist()


# --- any traces at all ----------------------------------------------------------------------------

IDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
half = st.floats(0, 60000, width=16)


@st.composite
def any_traces(draw: st.DrawFn) -> xr.Dataset:
    """Traces of odd ids and class names, with gaps and with variables that are not known."""
    ids = draw(st.lists(IDS, min_size=1, max_size=4, unique=True))
    names = draw(st.lists(IDS, min_size=2, max_size=4, unique=True))
    seeds = draw(st.lists(st.integers(0, 9), min_size=1, max_size=2, unique=True))
    shape = (len(seeds), draw(st.integers(1, 3)), len(ids))
    cells = int(np.prod(shape))
    whole = st.integers(-1, len(names) - 1)
    prediction = np.array(draw(st.lists(whole, min_size=cells, max_size=cells))).reshape(shape)
    prediction[:, :, 0] = np.abs(prediction[:, :, 0])  # every seed has every epoch
    floats = {}
    for name in draw(st.sets(st.sampled_from(["loss", "margin", "error_l2"]))):
        values = np.array(draw(st.lists(half, min_size=cells, max_size=cells))).reshape(shape)
        floats[name] = np.where(prediction == -1, np.nan, values)
    label = draw(st.lists(st.integers(0, len(names) - 1), min_size=len(ids), max_size=len(ids)))
    order = np.argsort(seeds)
    return from_arrays(
        prediction[order],
        label,
        **{name: values[order] for name, values in floats.items()},
        sample=ids,
        seeds=sorted(seeds),
        classes=names,
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ds=any_traces())
def test_any_traces_come_back_from_a_table(kind, ds):
    with tempfile.TemporaryDirectory() as folder:
        out = export_traces(ds, kind, Path(folder) / "t")
        again = import_traces([out], format=kind, classes=class_names(ds), **NAMES)
    again = match_samples(again, ds["sample"].values)
    for name in ("prediction", "loss", "margin", "error_l2", "label"):
        np.testing.assert_array_equal(again[name], ds[name], err_msg=name)


@settings(max_examples=40, deadline=None)
@given(
    logits=st.lists(st.lists(st.floats(-30, 30), min_size=4, max_size=4), min_size=1, max_size=5),
    label=st.integers(0, 3),
)
def test_made_up_logits_have_the_loss_and_margin_they_are_made_of(logits, label):
    logits = np.array(logits)
    labels = np.full(len(logits), label)
    known, prediction = from_logits(logits, labels), logits.argmax(1)
    made = to_logits(known["loss"], known["margin"], prediction, labels, 4)
    again = from_logits(made, labels)
    np.testing.assert_array_equal(made.argmax(1), prediction)
    np.testing.assert_allclose(again["loss"], known["loss"], rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(again["margin"], known["margin"], rtol=1e-9, atol=2e-6)


def test_nothing_is_left_of_an_export_that_fails(ds, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    with pytest.raises(LetheError, match=r"cannot write .*: No space left on device"):
        export_traces(ds, "aum", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_an_export_never_writes_over_what_is_there(ds, tmp_path):
    (tmp_path / "mine.csv").write_text("kept")
    with pytest.raises(LetheError, match=r"mine\.csv is there already"):
        export_traces(ds, "csv", tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").read_text() == "kept"


def test_complete_traces_are_exported_where_gaps_are_not(ds, tmp_path):
    again = back(complete(with_gap(ds)), "aum", tmp_path)
    assert again.sizes["sample"] == ds.sizes["sample"] - 1


def test_the_page_has_the_table_that_is_tested_here():
    page = Path(__file__).parents[1] / "book" / "import_export.md"
    for kind, kept in KEPT.items():
        gaps = "kept" if kind in HOLDS_GAPS else "refused"
        row = f"| {kind} | {' | '.join([*kept.values(), gaps])} |"
        assert row in page.read_text(), row
