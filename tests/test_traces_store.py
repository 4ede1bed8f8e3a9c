"""The store: equal to its logs, equal bytes for equal logs, lazy, quiet, damage found."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_runs import CLASSES, capture, epoch_arrays, manifest, samples

from lethe import traces
from lethe.errors import LetheError
from lethe.traces import open_run, packing

NAME = "zoo-tiny-quick"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [capture(folder / f"run{seed}", seed) for seed in (2, 0, 1)]


@pytest.fixture(scope="module")
def path(runs, tmp_path_factory):
    return traces.compact(runs, tmp_path_factory.mktemp("stores") / f"{NAME}.zarr.zip")


@pytest.fixture
def copy(path, tmp_path):
    return Path(shutil.copy(path, tmp_path / path.name))


def test_the_store_holds_what_the_logs_hold(path):
    ds = traces.open_traces(path)
    assert dict(ds.sizes) == {"seed": 3, "epoch": 3, "sample": 6}
    assert ds["seed"].values.tolist() == [0, 1, 2]
    for seed in range(3):
        for epoch in range(3):
            for name, exact in epoch_arrays(epoch, seed).items():
                kept = exact if name == "prediction" else exact.astype(np.float16)
                np.testing.assert_array_equal(ds[name].values[seed, epoch], kept)
    assert ds["prediction"].dtype == np.int16
    assert ds["loss"].dtype == np.float64  # sums of float16 would overflow
    assert ds["weights_hash"].values[2].tolist() == ["2w0", "2w1", "2w2"]
    assert ds["identical_to"].values.tolist() == ["", *["é 0/a.png"] * 5]
    assert traces.class_names(ds) == CLASSES
    assert [one["config"]["seed"] for one in json.loads(ds.attrs["manifests"])] == [0, 1, 2]
    assert "seed" not in json.loads(ds.attrs["config"])
    traces.validate(ds)


def test_opening_loads_no_trace_and_warns_of_nothing(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds = traces.open_traces(path)
        lazy = [name for name in ds.data_vars if not ds[name].variable._in_memory]
        assert sorted(lazy) == sorted(ds.data_vars)
        assert ds["loss"].isel(seed=0).mean() > 0


def test_equal_logs_give_equal_bytes_in_another_process(runs, path, tmp_path):
    code = "import sys; from lethe.traces import compact; compact(sys.argv[2:], sys.argv[1])"
    out = tmp_path / "again.zarr.zip"
    command = [sys.executable, "-c", code, str(out), *map(str, reversed(runs))]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONHASHSEED": "7"})
    assert out.read_bytes() == path.read_bytes()


def test_a_store_is_found_by_name_and_says_what_it_is(path, monkeypatch, tmp_path):
    ds = traces.open_traces(NAME, root=path.parent)
    told = traces.describe(ds)
    assert (told["seeds"], told["epochs"], told["samples"], told["classes"]) == (3, 3, 6, 3)
    assert told["test_accuracy"] == pytest.approx(0.52)
    assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    (tmp_path / "traces").mkdir()
    shutil.copy(path, tmp_path / "traces" / "other-name.zarr.zip")
    monkeypatch.setenv("LETHE_DATA", str(tmp_path))
    assert traces.list_traces() == ["other-name"]
    assert traces.open_traces("other-name").equals(ds)


def test_an_unknown_name_gets_the_nearest_one(path):
    with pytest.raises(LetheError, match=f"unknown traces 'zoo-tiny-quik'.*did you mean '{NAME}'"):
        traces.open_traces("zoo-tiny-quik", root=path.parent)
    with pytest.raises(LetheError, match="there is no trace store"):
        traces.open_traces(path.parent / "absent.zarr.zip")


def test_samples_given_decide_order_and_belonging(path):
    ids = list(reversed(samples()["sample_id"]))
    assert traces.open_traces(path, samples=ids)["sample"].values.tolist() == ids
    with pytest.raises(LetheError, match="1 foreign and 1 missing sample ids"):
        traces.open_traces(path, samples=["elsewhere", *ids[1:]])


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_truncated_store_is_refused(copy, keep):
    data = copy.read_bytes()
    copy.write_bytes(data[: int(keep * len(data)) if keep < 1 else keep])
    with pytest.raises(LetheError, match="is not a complete trace store") as error:
        traces.open_traces(copy)
    assert "\n" not in str(error.value)


def test_a_flipped_bit_in_a_chunk_is_refused(copy):
    with zipfile.ZipFile(copy) as archive:
        entry = archive.getinfo("loss/1.0.0")
    data = bytearray(copy.read_bytes())
    data[entry.header_offset + 30 + len("loss/1.0.0") + entry.file_size // 2] ^= 16
    copy.write_bytes(data)
    for look in (traces.open_traces, traces.verify_store):
        with pytest.raises(LetheError, match=r"is damaged in loss/1.0.0"):
            look(copy)


def test_a_zip_that_holds_no_traces_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zarr.zip", "w") as archive:
        archive.writestr("readme", "hello")
    with pytest.raises(LetheError, match=r"x.zarr.zip holds no traces"):
        traces.open_traces(tmp_path / "x.zarr.zip")


def rewritten(copy: Path, harm) -> Path:
    """The store with changed members, its zip intact."""
    with zipfile.ZipFile(copy) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    harm(members)
    with open(copy, "wb") as file:
        packing.write_zip(file, members.items())
    return copy


def test_another_schema_version_is_refused(copy):
    def newer(members):
        for name in (".zattrs", ".zmetadata"):
            members[name] = members[name].replace(
                b'"schema_version": "1"', b'"schema_version": "9"'
            )

    with pytest.raises(LetheError, match="schema version '9' is not known here"):
        traces.open_traces(rewritten(copy, newer))


def test_a_store_without_a_variable_is_refused(copy):
    def bare(members):
        metadata = json.loads(members[".zmetadata"])
        for name in [name for name in metadata["metadata"] if name.startswith("margin/")]:
            del metadata["metadata"][name]
        members[".zmetadata"] = json.dumps(metadata).encode()

    with pytest.raises(LetheError, match="no variable 'margin'"):
        traces.open_traces(rewritten(copy, bare))


def test_compaction_refuses_what_does_not_belong_together(runs, tmp_path):
    out = tmp_path / "x.zarr.zip"
    cases = [
        (capture(tmp_path / "model", 7, model="other"), "config.model is 'other' there"),
        (capture(tmp_path / "short", 7, epochs=2), "their epochs differ"),
        (capture(tmp_path / "few", 7, n=5), "their samples differ"),
        (capture(tmp_path / "same", 0), "have the same seed 0"),
    ]
    for other, message in cases:
        with pytest.raises(LetheError, match=message):
            traces.compact([runs[1], other], out)
    assert not out.exists()


def test_compaction_refuses_other_labels_under_the_same_ids(runs, tmp_path):
    table = samples().assign(label=2 - samples()["label"])
    with open_run(tmp_path / "run", manifest(7), table) as log:
        for epoch in range(3):
            log.write_epoch(epoch, epoch_arrays(epoch), {}, {"weights": ""})
        log.finish({})
    with pytest.raises(LetheError, match="their labels differ"):
        traces.compact([runs[0], tmp_path / "run"], tmp_path / "x.zarr.zip")


def test_compaction_refuses_unfinished_runs_and_bad_names(runs, tmp_path):
    with open_run(tmp_path / "run", manifest(7), samples()) as log:
        log.write_epoch(0, epoch_arrays(0), {}, {})
    with pytest.raises(LetheError, match="is not finished"):
        traces.compact([tmp_path / "run"], tmp_path / "x.zarr.zip")
    with pytest.raises(LetheError, match=r"NAME.zarr.zip, not 'x.nc'"):
        traces.compact(runs, tmp_path / "x.nc")
    with pytest.raises(LetheError, match="no run folders"):
        traces.compact([], tmp_path / "x.zarr.zip")
    (tmp_path / "file").write_text("")
    with pytest.raises(LetheError, match="cannot create the folder"):
        traces.compact(runs, tmp_path / "file" / "x.zarr.zip")


def test_a_store_that_differs_from_its_logs_is_not_kept(runs, tmp_path, monkeypatch):
    honest = packing.chunk_members

    def swapped(small, array, position, values):
        return honest(small, array, position, -values if array == "margin" else values)

    monkeypatch.setattr(packing, "chunk_members", swapped)
    with pytest.raises(LetheError, match=r"differs from .* in margin"):
        traces.compact(runs, tmp_path / "x.zarr.zip")
    assert not list(tmp_path.iterdir())


def test_samples_in_several_chunks_stay_in_order(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "SMALL", packing.Packing(4, 9))
    ds = traces.open_traces(traces.compact(runs, tmp_path / "x.zarr.zip"))
    assert ds["loss"].encoding["chunks"] == (1, 3, 3)
    np.testing.assert_array_equal(ds["prediction"].values[1, 2], epoch_arrays(2, 1)["prediction"])


def test_the_store_of_a_study_is_small(tmp_path):
    """10 seeds x 31 epochs x 6,200 samples must fit in 12 MB: at most 6.2 bytes a cell."""
    rng = np.random.default_rng(0)
    shape = (2, 31, 3100)
    margin = (rng.normal(3, 3, shape[2]) + rng.normal(0, 1, shape)).astype(np.float32)
    label = rng.integers(0, 62, shape[2])
    wrong = (label + rng.integers(1, 4, shape)) % 62
    right = 1 / (1 + np.exp(-margin))
    arrays = {"prediction": np.where(margin > 0, label, wrong).astype(np.int16)}
    arrays |= {"loss": -np.log(right), "margin": margin, "error_l2": 1 - right}
    runs = [tmp_path / str(seed) for seed in range(shape[0])]
    for seed, run in enumerate(runs):
        with open_run(run, study_manifest(seed), study_samples(label)) as log:
            for epoch in range(shape[1]):
                log.write_epoch(epoch, {k: a[seed, epoch] for k, a in arrays.items()}, {}, {})
            log.finish({})
    path = traces.compact(runs, tmp_path / "study.zarr.zip")
    assert path.stat().st_size / margin.size < 6.2


def study_manifest(seed: int) -> dict:
    return manifest(seed) | {"dataset": {"classes": [f"{k}" for k in range(62)]}}


def study_samples(label: np.ndarray) -> pd.DataFrame:
    ids = [f"{n}/{k}.png" for n, k in enumerate(label)]
    return pd.DataFrame({"sample_id": ids, "label": label.astype(np.int16)})


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 9), st.integers(0, 99))
def test_round_trip_of_any_shape(tmp_path_factory, seeds, epochs, n, first):
    folder = tmp_path_factory.mktemp("any")
    folders = [capture(folder / str(seed), first + seed, epochs, n) for seed in range(seeds)]
    ds = traces.open_traces(traces.compact(folders, folder / "any.zarr.zip"))
    logs = xr.concat([traces.read_run(one) for one in folders], "seed", data_vars="minimal",
                     coords="minimal", compat="override", join="override")  # fmt: skip
    assert dict(ds.sizes) == {"seed": seeds, "epoch": epochs, "sample": n}
    for name in ("loss", "margin", "error_l2"):
        np.testing.assert_array_equal(ds[name].values, logs[name].values.astype(np.float16))
    np.testing.assert_array_equal(ds["prediction"].values, logs["prediction"].values)
