"""Stores that do not fit in memory: blocks, streamed compaction, checks as far as needed."""

import pickle
import re
import shutil
import weakref
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from trace_runs import capture, epoch_arrays, in_chunks_of_6, seeds_of_23

from lethe import traces
from lethe.errors import LetheError
from lethe.traces import blocks, packing, places, store
from lethe.traces.members import Members

PAGE = Path(__file__).parents[1] / "book" / "large_traces.md"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return seeds_of_23(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def path(runs, tmp_path_factory):
    return in_chunks_of_6(runs, tmp_path_factory.mktemp("large"))


def test_blocks_are_whole_chunks_in_order_and_together_everything(path):
    ds = traces.open_traces(path)
    found = list(traces.sample_blocks(ds, ("prediction", "loss"), limit=3 * 3 * 10 * 12))
    assert [block.sizes["sample"] for block in found] == [12, 11]
    for name in ("prediction", "loss", "label", "sample"):
        joined = np.concatenate([block[name].values for block in found], axis=-1)
        np.testing.assert_array_equal(joined, ds[name].values)


def test_a_block_loads_what_was_asked_and_nothing_else(path):
    ds = traces.open_traces(path)
    block = next(traces.sample_blocks(ds, ["margin"], limit=1))
    assert block.sizes["sample"] == 6  # a chunk is the least
    assert list(block.data_vars) == ["margin"]
    assert block["margin"].variable._in_memory
    assert not block["image_hash"].variable._in_memory
    assert not ds["margin"].variable._in_memory


def test_blocks_of_traces_in_memory():
    ds = traces.from_arrays(np.zeros((2, 3, 5), np.int16), np.zeros(5, np.int16))
    sizes = [one.sizes["sample"] for one in traces.sample_blocks(ds, limit=24)]
    assert sizes == [2, 2, 1]
    assert len(list(traces.sample_blocks(ds.isel(seed=0)))) == 1


def test_blocks_of_what_is_not_there(path):
    ds = traces.open_traces(path)
    with pytest.raises(LetheError, match="no variable 'los'; did you mean 'loss'"):
        next(traces.sample_blocks(ds, ["los"]))
    with pytest.raises(LetheError, match="a limit of 1 or more"):
        next(traces.sample_blocks(ds, limit=0))


# compaction


def pack(folder, runs, **settings):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setattr(packing, name, value)
        return traces.compact(runs, folder / "zoo-tiny-quick.zarr.zip")


def test_a_large_store_is_packed_faster_and_holds_the_same(runs, path, tmp_path):
    large = pack(tmp_path, runs, LARGE_CELLS=3 * 3 * 23 - 1)
    assert packing.packing_of(traces.open_traces(path)) == packing.SMALL
    for name in ("prediction", "loss"):
        encoding = traces.open_traces(large)[name].encoding
        assert (encoding["chunks"], encoding["compressors"][0].clevel) == ((1, 3, 23), 5)
    assert traces.open_traces(large).equals(traces.open_traces(path))


def test_members_are_sorted_and_seeds_beyond_nine_in_place(tmp_path):
    runs = [capture(tmp_path / f"run{seed}", seed, 2, 3) for seed in range(11)]
    made = traces.compact(runs, tmp_path / "zoo-tiny-quick.zarr.zip")
    with zipfile.ZipFile(made) as archive:
        names = archive.namelist()
    assert names == sorted(names)
    ds = traces.open_traces(made)
    for seed in (2, 10):
        expected = epoch_arrays(1, seed, 3)["prediction"]
        np.testing.assert_array_equal(ds["prediction"].sel(seed=seed, epoch=1), expected)


def test_one_array_of_one_seed_is_in_memory_at_a_time(runs, tmp_path, monkeypatch):
    alive, honest = weakref.WeakValueDictionary(), packing.read_array

    def read(*args):
        assert len(alive) <= 1  # the one before, until this one takes its name
        made = honest(*args).view(Tracked)
        alive[len(reads)] = made
        reads.append(args[2])
        return made

    reads = []
    monkeypatch.setattr(packing, "read_array", read)
    pack(tmp_path, runs)
    assert len(reads) == 2 * 3 * 4  # to write and to compare


class Tracked(np.ndarray):
    """An array that a weak reference may point to."""


def test_a_zip_beyond_4_gigabytes_is_read(runs, path, tmp_path, monkeypatch):
    """The records that such a zip needs, written from 500 bytes and 10 members on."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 500)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 10)
    made = pack(tmp_path, runs, SMALL=packing.Packing(6, 9))
    monkeypatch.undo()
    assert b"PK\6\6" in made.read_bytes()  # the end of a large directory
    assert traces.open_traces(made).equals(traces.open_traces(path))


def test_a_kill_leaves_the_old_store(runs, path, tmp_path, monkeypatch):
    made = pack(tmp_path, runs[:2])
    before = made.read_bytes()
    monkeypatch.setattr(packing, "compare", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        pack(tmp_path, runs)
    assert [one.name for one in tmp_path.iterdir()] == [made.name]
    assert made.read_bytes() == before


# opening


@pytest.fixture
def unread(monkeypatch):
    """Every store is too large to be read in full when it is opened."""
    monkeypatch.setattr(store, "WHOLE", 0)


def test_a_large_store_is_checked_as_it_is_used(unread, path, tmp_path):
    with Members(path) as members:
        entry = members.entries["loss/1.0.1"]
    data = bytearray(path.read_bytes())
    data[entry.end - 1] ^= 1
    harmed = tmp_path / path.name
    harmed.write_bytes(data)
    ds = traces.open_traces(harmed)
    assert traces.correct(ds).shape == (3, 3, 23)
    assert ds["loss"].isel(sample=slice(0, 6)).values.size
    with pytest.raises(LetheError, match=r"is damaged in loss/1\.0\.1; copy or compact it again"):
        ds["loss"].load()
    with pytest.raises(LetheError, match=r"is damaged in loss/1\.0\.1"):
        traces.verify_store(harmed)


def test_a_large_store_has_the_fingerprint_of_its_directory(unread, path, runs, tmp_path):
    ds = traces.open_traces(path)
    assert "sha256" not in ds.encoding
    assert traces.fingerprint(ds) == f"zip-{Members(path).directory_sha256()}"
    other = traces.open_traces(pack(tmp_path, runs[:2], SMALL=packing.Packing(6, 9)))
    assert traces.fingerprint(other) != traces.fingerprint(ds)
    assert traces.fingerprint(ds.isel(seed=0)) == traces.fingerprint(ds)
    assert traces.fingerprint(traces.from_arrays(np.zeros((1, 2, 3), int), [0, 0, 0])) == ""


@pytest.mark.parametrize("keep", [0, 0.5, 0.99])
def test_a_truncated_large_store_is_refused(unread, path, tmp_path, keep):
    cut = tmp_path / path.name
    cut.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    with pytest.raises(LetheError, match="is not a complete trace store"):
        traces.open_traces(cut)


def test_a_store_that_was_zipped_again_is_read(path, tmp_path):
    again = tmp_path / path.name
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as new:
        for name in reversed(old.namelist()):
            new.writestr(name, old.read(name))
    assert traces.open_traces(again).equals(traces.open_traces(path))


def test_threads_and_processes_read_one_store(path):
    ds = traces.open_traces(path)
    expected = ds["loss"].values
    with ThreadPoolExecutor(8) as pool:
        fresh = [traces.open_traces(path) for _ in range(2)] * 20
        assert all(
            np.array_equal(found, expected, equal_nan=True)
            for found in pool.map(lambda one: one["loss"].copy().values, fresh)
        )
    assert pickle.loads(pickle.dumps(traces.open_traces(path))).equals(ds)


# in blocks


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of a few samples: 2 seeds x 3 epochs x 2 bytes each."""
    monkeypatch.setattr(blocks, "LIMIT", 2 * 3 * 2 * 2)


def with_gaps():
    rng = np.random.default_rng(0)
    prediction = rng.integers(0, 3, (2, 3, 7)).astype(np.int16)
    prediction[1, 2, [1, 5]] = -1
    loss = np.where(prediction == -1, np.nan, rng.random((2, 3, 7))).astype(np.float32)
    return traces.from_arrays(prediction, rng.integers(0, 3, 7), loss=loss)


def test_right_missing_and_whole_are_the_same_in_blocks(small_blocks):
    ds = with_gaps()
    assert traces.describe(ds)["missing"] == 2
    with pytest.raises(LetheError, match="2 predictions are missing"):
        traces.correct(ds)
    whole = traces.complete(ds)
    assert whole["sample"].values.tolist() == [f"s00000{n}" for n in (0, 2, 3, 4, 6)]
    expected = whole["prediction"] == whole["label"]
    assert traces.correct(whole).equals(expected.rename("correct"))
    turned = whole.transpose("sample", "epoch", "seed")
    assert traces.correct(turned).dims == ("sample", "epoch", "seed")
    assert traces.correct(turned).transpose(*expected.dims).equals(expected)
    assert traces.correct(whole.isel(seed=1)).equals(expected.isel(seed=1))
    assert traces.correct(whole.isel(sample=3)).equals(expected.isel(sample=3))
    assert traces.complete(whole).equals(whole)


def test_values_are_checked_in_every_block(small_blocks):
    ds = with_gaps()
    traces.validate(ds)
    ds["loss"][1, 2, 5] = 0.5
    with pytest.raises(LetheError, match="loss has a value where the prediction is missing"):
        traces.validate(ds)
    ds["loss"][1, 2, 5], ds["prediction"][0, 0, 6] = np.nan, 9
    with pytest.raises(LetheError, match="prediction 9 is outside the 3 classes"):
        traces.validate(ds)


def test_traces_in_the_order_asked_for_are_left_where_they_are(path):
    ds = traces.open_traces(path)
    assert traces.match_samples(ds, ds["sample"].values) is ds


# the book's page


def test_the_examples_of_the_page_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "imagenet.zarr.zip"
    shutil.copy(path, name)
    places.upload(path, f"memory://study/traces/{name}")
    text = PAGE.read_text("utf-8").replace("s3://", "memory://")
    scope: dict = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(code, scope)
    assert scope["mean_loss"].sizes == {"sample": 23}
    assert scope["block"].sizes["sample"] == 23
