"""Merging the ranks of a run: against one loop over all records, and what must not be merged."""

import shutil

import numpy as np
import pytest

from lethe import traces
from lethe.capture.own_loop import TraceRecorder
from lethe.capture.ranks import merge_ranks
from lethe.errors import LetheError

N = 11
IDS, LABELS = [f"i{i}" for i in range(N)], np.arange(N) % 3
NAMES = {"dataset": "zoo", "model": "tiny", "seed": 0}


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr("lethe.traces.files.os.fsync", lambda descriptor: None)


def open_rank(folder, rank: int, world: int, **changes) -> TraceRecorder:
    settings = {"sample_ids": IDS, "labels": LABELS, "classes": ["a", "b", "c"], **NAMES}
    return TraceRecorder(folder, **{**settings, "rank": rank, "world_size": world, **changes})


def shares(epoch: int, world: int) -> np.ndarray:
    """What a DistributedSampler hands out: padded with the first of the shuffled samples."""
    order = np.random.default_rng(epoch).permutation(N)
    each = -(-N // world)
    return np.concatenate([order, order[: each * world - N]]).reshape(each, world).T


def logits_of(epoch: int, rank: int) -> np.ndarray:
    """Each process sees a repeated sample with another augmentation, so its logits differ."""
    return np.random.default_rng([epoch, rank]).normal(size=(N, 3))


def capture_rank(folder, rank: int, world: int, epochs: int = 3, **changes) -> None:
    recorder = open_rank(folder, rank, world, **changes)
    for epoch in range(1, epochs + 1):
        mine = shares(epoch, world)[rank]
        for batch in np.array_split(mine, 2):
            recorder.record(batch, logits_of(epoch, rank)[batch], recorder.labels[batch])
        recorder.end_epoch({"test_accuracy": rank + 0.25})
    recorder.close()


@pytest.mark.parametrize("world", [2, 3, 4])
def test_every_sample_comes_from_the_lowest_rank_that_has_it(tmp_path, world):
    for rank in range(world):
        capture_rank(tmp_path, rank, world)
    assert merge_ranks(tmp_path) == tmp_path
    merged = traces.read_run(tmp_path, "train")
    alone = open_rank(tmp_path / "alone", 0, 1)
    for epoch in (1, 2, 3):
        for rank in range(world):  # one recorder that sees rank 0 first, then rank 1, ...
            part = shares(epoch, world)[rank]
            alone.record(part, logits_of(epoch, rank)[part], LABELS[part])
        counted = alone.end_epoch()
        assert counted["repeats"] == -N % world == merged["repeats"].values[epoch - 1]
    alone.close()
    expected = traces.read_run(tmp_path / "alone", "train")
    for name in ("prediction", "loss", "margin", "error_l2", "label", "sample"):
        np.testing.assert_array_equal(merged[name].values, expected[name].values)
    assert merged["missing"].values.tolist() == [0, 0, 0]
    assert merged["test_accuracy"].values.tolist() == [0.25, 0.25, 0.25]  # rank 0's


def test_a_merged_run_packs_like_any_other_and_merging_again_changes_nothing(tmp_path):
    for seed in (0, 1):
        for rank in (0, 1):
            capture_rank(tmp_path / f"s{seed}", rank, 2, seed=seed)
        merge_ranks(tmp_path / f"s{seed}")
    before = {p: p.read_bytes() for p in sorted(tmp_path.rglob("*")) if p.is_file()}
    merge_ranks(tmp_path / "s0")
    assert {p: p.read_bytes() for p in sorted(tmp_path.rglob("*")) if p.is_file()} == before
    store = tmp_path / "zoo-tiny-own.zarr.zip"
    traces.compact([tmp_path / "s0", tmp_path / "s1"], store, "train")
    assert traces.correct(traces.open_traces(store)).shape == (2, 3, N)


def test_what_no_rank_recorded_stays_missing(tmp_path):
    for rank in (0, 1):
        recorder = open_rank(tmp_path, rank, 2)
        part = np.array([rank, 5])
        recorder.record(part, logits_of(1, rank)[part], LABELS[part])
        recorder.end_epoch()
        recorder.close()
    ds = traces.read_run(merge_ranks(tmp_path), "train")
    assert np.flatnonzero(ds["prediction"].values[0] >= 0).tolist() == [0, 1, 5]
    assert (ds["missing"].item(), ds["repeats"].item()) == (N - 3, 1)


def test_a_missing_or_unfinished_rank_is_refused(tmp_path):
    with pytest.raises(LetheError, match="rank-0"):
        merge_ranks(tmp_path)
    capture_rank(tmp_path, 0, 3)
    capture_rank(tmp_path, 1, 3)
    with pytest.raises(LetheError, match="rank-2 is missing: the run had 3 processes"):
        merge_ranks(tmp_path)
    recorder = open_rank(tmp_path, 2, 3)
    recorder.close(finished=False)
    with pytest.raises(LetheError, match="rank-2 is not finished"):
        merge_ranks(tmp_path)
    assert not (tmp_path / "manifest.json").exists()


OTHER = LABELS.copy()
OTHER[4] = 2


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"epochs": 2}, "rank-1 has 2 epochs and rank-0 has 3"),
        ({"labels": OTHER}, "label of 'i4' is 2 in .*rank-1 and 1 in rank-0"),
        ({"sample_ids": [*IDS[:-1], "other"]}, "sample of 'i10' is other in"),
        ({"sample_ids": [*IDS, "more"], "labels": [*LABELS, 0]}, "another number of samples"),
        ({"model": "large"}, "rank-1 and .*rank-0 are not of one run: config.model"),
        ({"classes": ["a", "b", "x"]}, "not of one run: dataset.classes"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_ranks_that_disagree_are_refused(tmp_path, changes, text):
    capture_rank(tmp_path, 0, 2)
    capture_rank(tmp_path, 1, 2, **changes)
    with pytest.raises(LetheError, match=text):
        merge_ranks(tmp_path)
    assert not (tmp_path / "manifest.json").exists()


def test_a_changed_rank_is_noticed(tmp_path):
    for rank in (0, 1):
        capture_rank(tmp_path, rank, 2)
    epoch = tmp_path / "rank-1" / "epochs" / "train-0002.parquet"
    shutil.copy(tmp_path / "rank-0" / "epochs" / "train-0002.parquet", epoch)
    with pytest.raises(LetheError, match="has changed since it was committed"):
        merge_ranks(tmp_path)


def test_ranks_after_a_crash_go_on_from_one_checkpoint(tmp_path):
    for rank, done in ((0, 3), (1, 2)):  # rank 1 was cut off in its third epoch
        recorder = open_rank(tmp_path, rank, 2)
        for _ in range(done):
            recorder.record([rank], np.zeros((1, 3)), LABELS[[rank]])
            recorder.end_epoch()
        recorder.close(finished=False)
    for rank in (0, 1):
        recorder = open_rank(tmp_path, rank, 2, start=3)
        recorder.record([rank], np.ones((1, 3)), LABELS[[rank]])
        recorder.end_epoch()
        recorder.close()
    ds = traces.read_run(merge_ranks(tmp_path), "train")
    assert ds["epoch"].values.tolist() == [1, 2, 3]
