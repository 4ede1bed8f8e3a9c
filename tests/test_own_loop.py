"""The recorder for a loop of one's own: definitions against a slow version, and hostile inputs."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from lethe import traces
from lethe.capture.any_array import measure_numpy
from lethe.capture.own_loop import TraceRecorder
from lethe.capture.recorder import measure
from lethe.errors import LetheError

CLASSES = ["cat", "dog", "owl"]
IDS = [f"zoo/{i:03d}.png" for i in range(11)]
LABELS = np.arange(11) % 3


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """What survives a power cut is tested with the log itself."""
    monkeypatch.setattr("lethe.traces.files.os.fsync", lambda descriptor: None)


def recorder(folder, **changes) -> TraceRecorder:
    settings = {"sample_ids": IDS, "labels": LABELS, "classes": CLASSES, "dataset": "zoo"}
    return TraceRecorder(folder, **{**settings, "model": "tiny", "seed": 0, **changes})


def logits_of(epoch: int, n: int = 11) -> np.ndarray:
    return np.random.default_rng(epoch).normal(size=(n, 3)).astype(np.float32)


def record_all(rec: TraceRecorder, order=None, size: int = 4) -> dict[str, int]:
    logits = logits_of(rec.epoch)
    order = np.arange(11) if order is None else np.asarray(order)
    for part in np.split(order, range(size, len(order), size)):
        rec.record([IDS[i] for i in part], logits[part], LABELS[part])
    return rec.end_epoch()


def read(folder, view: str = "train"):
    return traces.read_run(folder, view)


def same_traces(one, other) -> None:
    for name in ("prediction", "loss", "margin", "error_l2"):
        np.testing.assert_array_equal(one[name].values, other[name].values)


# definitions


@pytest.mark.parametrize("scale", [0.1, 30.0, 5e3])
def test_numpy_and_torch_measure_the_same(scale):
    logits = (scale * np.random.default_rng(1).normal(size=(200, 7))).astype(np.float32)
    labels = np.random.default_rng(2).integers(0, 7, 200)
    ours = measure_numpy(logits.astype(np.float64), labels)
    theirs = measure(torch.from_numpy(logits), torch.from_numpy(labels))
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name].numpy(), rtol=3e-6, atol=3e-6)
        assert values.dtype == theirs[name].numpy().dtype


def slow_epoch(records, n: int) -> dict[str, np.ndarray]:
    """One record after the other; the first of each sample stays."""
    arrays = {name: np.full(n, np.nan) for name in ("loss", "margin", "error_l2")}
    arrays["prediction"] = np.full(n, -1)
    for position, z in records:
        if arrays["prediction"][position] == -1:
            y, z = LABELS[position], z.astype(np.float64)
            share = np.exp(z) / np.exp(z).sum()
            arrays["prediction"][position] = z.argmax()
            arrays["loss"][position] = -np.log(share[y])
            arrays["margin"][position] = z[y] - np.delete(z, y).max()
            arrays["error_l2"][position] = np.linalg.norm(share - np.eye(3)[y])
    return arrays


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_the_first_record_of_an_epoch_counts(tmp_path, kind):
    rng = np.random.default_rng(5)
    stream = [(int(i), rng.normal(size=3)) for i in rng.integers(0, 9, 40)]
    with recorder(tmp_path) as rec:
        for start in range(0, 40, 7):
            positions = np.array([position for position, _ in stream[start : start + 7]])
            logits = np.array([row for _, row in stream[start : start + 7]])
            logits = torch.from_numpy(logits) if kind == "torch" else logits
            rec.record(positions, logits, LABELS[positions])
        counted = rec.end_epoch()
    seen = len({position for position, _ in stream})
    assert counted == {"epoch": 1, "recorded": seen, "repeats": 40 - seen, "missing": 11 - seen}
    ds, expected = read(tmp_path), slow_epoch(stream, 11)
    for name, values in expected.items():
        np.testing.assert_allclose(ds[name].values[0], values, rtol=1e-5, atol=1e-6)
    assert ds["repeats"].item() == 40 - seen
    assert ds["missing"].item() == 11 - seen >= 2


def test_order_and_batch_size_do_not_matter(tmp_path):
    for name, order, size in (("a", None, 4), ("b", np.random.default_rng(0).permutation(11), 3)):
        with recorder(tmp_path / name) as rec:
            for _ in range(3):
                record_all(rec, order, size)
    same_traces(read(tmp_path / "a"), read(tmp_path / "b"))


# what may come as ids, logits and labels


@pytest.mark.parametrize(
    "ids",
    [
        IDS[2:5],
        tuple(IDS[2:5]),
        np.array(IDS[2:5]),
        np.array(IDS[2:5], object),
        [2, 3, 4],
        range(2, 5),
        np.array([2, 3, 4], np.uint8),
        [np.int64(2), np.int64(3), np.int64(4)],
        torch.tensor([2, 3, 4]),
        torch.tensor([2, 3, 4], dtype=torch.int16),
        [torch.tensor(2), torch.tensor(3), torch.tensor(4)],
    ],
    ids=lambda ids: f"{type(ids).__name__}-{getattr(ids, 'dtype', type(ids[0]).__name__)}",
)
def test_ids_are_names_or_positions(tmp_path, ids):
    with recorder(tmp_path) as rec:
        rec.record(ids, logits_of(1)[2:5], LABELS[2:5])
        rec.end_epoch()
    assert np.flatnonzero(read(tmp_path)["prediction"].values[0] >= 0).tolist() == [2, 3, 4]


def convert(kind: str, logits: np.ndarray):
    tensor = torch.from_numpy(logits)
    return {
        "list": logits.tolist(),
        "float64": logits.astype(np.float64),
        "tensor": tensor,
        "with graph": tensor.clone().requires_grad_(),
        "bfloat16": tensor.bfloat16(),
        "float16": tensor.half(),
        "array interface": Foreign(logits),
        "dlpack": DLPack(logits),
    }[kind]


class Foreign:
    """What JAX and TensorFlow arrays offer."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


class DLPack:
    """What any other array offers."""

    def __init__(self, values):
        self.values = values

    def __dlpack__(self, **kw):
        return self.values.__dlpack__(**kw)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


@pytest.mark.parametrize(
    "kind",
    ["list", "float64", "tensor", "with graph", "bfloat16", "float16", "array interface", "dlpack"],
)
def test_logits_of_any_kind(tmp_path, kind):
    logits = (4 * logits_of(1)).round() / 4  # held exactly in every precision
    with recorder(tmp_path) as rec:
        rec.record(IDS, convert(kind, logits), torch.from_numpy(LABELS))
        rec.end_epoch()
    expected = slow_epoch(list(enumerate(logits)), 11)
    for name, values in expected.items():
        np.testing.assert_allclose(read(tmp_path)[name].values[0], values, rtol=1e-5, atol=1e-6)


def test_a_batch_of_one_and_an_empty_batch(tmp_path):
    logits = logits_of(1)
    with recorder(tmp_path) as rec:
        rec.record(IDS[0], logits[0], LABELS[0])  # a name, one flat row, a scalar
        rec.record([1], torch.from_numpy(logits[1]), torch.tensor(1))
        rec.record(IDS[2:3], logits[2:3], LABELS[2:3])
        rec.record([], logits[:0], [])
        rec.record(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 3), torch.zeros(0).long())
        assert rec.end_epoch()["recorded"] == 3
    expected = slow_epoch(list(enumerate(logits))[:3], 11)
    np.testing.assert_allclose(read(tmp_path)["loss"].values[0], expected["loss"], rtol=1e-5)


def test_ids_never_travel_as_floats(tmp_path):
    """The classic: 49,999 in bfloat16 is 49,920, the id of another sample."""
    n = 50_000
    labels = np.arange(n) % 3
    assert int(torch.tensor(49_999).bfloat16()) == 49_920
    with recorder(tmp_path, sample_ids=[f"i{i}" for i in range(n)], labels=labels) as rec:
        half = torch.randn(1, 3).bfloat16()
        for ids in (
            torch.tensor([49_999.0]).bfloat16(),
            np.array([49_999.0]),
            torch.tensor([True]),
        ):
            with pytest.raises(LetheError, match=r"ids are .*, expected sample ids"):
                rec.record(ids, half, labels[[49_999]])
        rec.record(torch.tensor([49_999]), half, labels[[49_999]])
        rec.end_epoch()
    assert np.flatnonzero(read(tmp_path)["prediction"].values[0] >= 0).tolist() == [49_999]


def test_what_is_recorded_is_a_copy(tmp_path):
    ids, logits = torch.arange(11), torch.from_numpy(logits_of(1))
    labels = torch.from_numpy(LABELS.copy())
    with recorder(tmp_path) as rec:
        rec.record(ids, logits, labels)
        ids[:], logits[:], labels[:] = 0, 0, 0  # a loop that reuses its buffers
        rec.end_epoch()
    expected = slow_epoch(list(enumerate(logits_of(1))), 11)
    np.testing.assert_allclose(read(tmp_path)["loss"].values[0], expected["loss"], rtol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_tensors_on_a_device_give_the_same(tmp_path):
    logits, labels = torch.from_numpy(logits_of(1)), torch.from_numpy(LABELS)
    for name, device in (("cpu", "cpu"), ("gpu", "cuda")):
        with recorder(tmp_path / name) as rec:
            rec.record(torch.arange(11, device=device), logits.to(device), labels)
            rec.end_epoch()
    one, other = read(tmp_path / "cpu"), read(tmp_path / "gpu")
    np.testing.assert_array_equal(one["prediction"].values, other["prediction"].values)
    np.testing.assert_allclose(one["loss"].values, other["loss"].values, rtol=1e-6)


# refused


BAD = [
    (["zoo/004.jpg"], np.zeros((1, 3)), [1], "'zoo/004.jpg' is not .* did you mean 'zoo/004.png'"),
    ([11], np.zeros((1, 3)), [1], "position 11 is outside the 11 samples"),
    ([-1], np.zeros((1, 3)), [1], "position -1 is outside"),
    ([b"zoo/001.png"], np.zeros((1, 3)), [1], "expected sample ids"),
    ([1], np.zeros((1, 3)), [2], "'zoo/001.png' came with label 2, its label is 1"),
    ([1], np.zeros((1, 3)), [-100], "came with label -100"),
    ([1], np.zeros((1, 3)), [1.0], "labels are float64, expected class indices 0 to 2"),
    ([1], np.zeros((1, 3)), [[0, 1, 0]], "labels have shape"),
    ([0, 1], np.zeros((3, 3)), [0, 1], r"logits have shape \(3, 3\) for 2 ids"),
    ([0, 1], np.zeros((2, 3)), [0, 1, 2], "3 labels were given for 2 ids"),
    ([0, 1], np.zeros(2), [0, 1], r"expected \(2, 3\): one row of class scores"),
    ([0, 1], np.zeros((2, 4)), [0, 1], "logits are of 4 classes, the recorder was given 3"),
    ([0], np.zeros((1, 2, 3)), [0], "logits have shape"),
    ([0], [["a", "b", "c"]], [0], "logits are .*expected numbers"),
    ([0], object(), [0], "logits"),
]


@pytest.mark.parametrize(("ids", "logits", "labels", "text"), BAD)
def test_a_wrong_batch_is_refused_and_nothing_of_it_kept(tmp_path, ids, logits, labels, text):
    with recorder(tmp_path) as rec:
        with pytest.raises(LetheError, match=text) as raised:
            rec.record(ids, logits, labels)
        assert "\n" not in str(raised.value)
        assert record_all(rec)["missing"] == 0
    assert read(tmp_path)["repeats"].item() == 0


def test_torch_logits_with_a_foreign_label_are_refused_not_an_index_error(tmp_path):
    with recorder(tmp_path) as rec:
        with pytest.raises(LetheError, match="came with label 7"):
            rec.record([0], torch.zeros(1, 3), torch.tensor([7]))
        record_all(rec)


class OnDevice(torch.Tensor):
    """A tensor that says that it lies on another device, for the path that waits for the epoch."""

    @property
    def device(self):
        return torch.device("cuda")


@pytest.mark.parametrize(
    ("ids", "labels", "text"),
    [([0, 11], [0, 0], "position 11"), ([0, 1], [0, 2], "came with label 2")],
)
def test_what_lies_on_a_device_is_checked_at_the_end_of_the_epoch(tmp_path, ids, labels, text):
    with recorder(tmp_path) as rec:
        record_all(rec)
        there = torch.tensor(ids).as_subclass(OnDevice)
        rec.record(there, torch.zeros(2, 3), torch.tensor(labels))
        with pytest.raises(LetheError, match=text):
            rec.end_epoch()
        rec.close(finished=False)
    assert read(tmp_path).sizes["epoch"] == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e6])
def test_diverged_logits_are_named_and_what_is_committed_stays(tmp_path, bad):
    with recorder(tmp_path) as rec:
        record_all(rec)
        logits = logits_of(2)
        logits[4, 2] = bad
        rec.record(IDS, logits, LABELS)
        with pytest.raises(LetheError, match=r"epoch 2: .*diverged"):
            rec.end_epoch()
        rec.close(finished=False)
    assert read(tmp_path).sizes["epoch"] == 1
    assert recorder(tmp_path).epoch == 2


def test_an_epoch_without_records_is_refused(tmp_path):
    with recorder(tmp_path) as rec:
        with pytest.raises(LetheError, match="nothing was recorded in epoch 1"):
            rec.end_epoch()
        record_all(rec)


WRONG_RUN = [
    ({"sample_ids": list(range(11))}, "sample id 0 is a int, expected strings"),
    ({"sample_ids": ["a"] * 11}, "sample_id 'a' occurs more than once"),
    ({"labels": LABELS[:5]}, "5 labels were given for 11 sample ids"),
    ({"labels": LABELS + 0.5}, "labels are float64"),
    ({"labels": LABELS + 1}, "label 3 of 'zoo/002.png' is outside the 3 classes"),
    ({"classes": ["cat"]}, "two classes or more"),
    ({"view": "training"}, "unknown view 'training'"),
    ({"config": {"seed": 3}}, "config may not hold 'seed'"),
    ({"config": {"model": object()}}, "config may not hold 'model'"),
    ({"config": {"net": object()}}, "config must hold numbers, text and lists"),
    ({"rank": 2, "world_size": 2}, "rank 2 is none of a world of 2"),
    ({"start": 3}, "start is 3, but the next epoch of .* is 1"),
    ({"start": 0}, "start is 0, but the next"),
]


@pytest.mark.parametrize(("changes", "text"), WRONG_RUN, ids=lambda value: str(value)[:20])
def test_a_wrong_run_is_refused(tmp_path, changes, text):
    with pytest.raises(LetheError, match=text):
        recorder(tmp_path, **changes)
    recorder(tmp_path / "free").close(finished=False)


# resuming


def test_reopening_goes_on_and_a_partly_recorded_epoch_is_recorded_again(tmp_path):
    with recorder(tmp_path / "whole") as rec:
        for _ in range(4):
            record_all(rec)
    rec = recorder(tmp_path / "cut")
    record_all(rec)
    record_all(rec)
    rec.record(IDS[:3], np.full((3, 3), 9.0), LABELS[:3])  # epoch 3 begins, then the power fails
    rec.close(finished=False)
    rec = recorder(tmp_path / "cut")
    assert rec.epoch == 3
    record_all(rec)
    record_all(rec)
    rec.close()
    same_traces(read(tmp_path / "whole"), read(tmp_path / "cut"))
    assert (tmp_path / "cut" / "done.json").exists()


def test_start_goes_back_to_an_older_checkpoint(tmp_path):
    rec = recorder(tmp_path)
    for _ in range(4):
        record_all(rec)
    rec.close(finished=False)
    rec = recorder(tmp_path, start=3)
    assert rec.epoch == 3
    rec.record(IDS, logits_of(100), LABELS)
    rec.end_epoch()
    rec.close()
    ds = read(tmp_path)
    assert ds["epoch"].values.tolist() == [1, 2, 3]
    for start in (None, 1):
        with pytest.raises(LetheError, match="holds a finished run of 3 epochs"):
            recorder(tmp_path, start=start)
    expected = slow_epoch(list(enumerate(logits_of(100))), 11)
    np.testing.assert_allclose(ds["loss"].values[2], expected["loss"], rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"model": "large"}, "config.model is 'tiny' there and 'large' here"),
        ({"seed": 1}, "config.seed"),
        ({"view": "eval"}, "config.view"),
        ({"config": {"lr": 0.2}}, "config.lr"),
        ({"classes": ["cat", "dog", "emu"]}, "dataset.classes"),
        ({"sample_ids": IDS[::-1]}, "other samples"),
        ({"labels": LABELS[::-1].copy()}, "label of row 0"),
        ({"sample_ids": IDS[:9], "labels": LABELS[:9]}, "11 samples, not 9"),
    ],
)
def test_reopening_as_another_run_is_refused(tmp_path, changes, text):
    rec = recorder(tmp_path)
    record_all(rec)
    rec.close(finished=False)
    with pytest.raises(LetheError, match=text):
        recorder(tmp_path, **changes)


def test_one_recorder_a_folder_even_with_loader_workers(tmp_path):
    rec = recorder(tmp_path)
    with pytest.raises(LetheError, match="being written by another process"):
        recorder(tmp_path)
    loader = torch.utils.data.DataLoader(range(11), 4, num_workers=1, persistent_workers=True)
    for ids in loader:  # the worker is a fork that holds a copy of the lock file
        rec.record(ids, logits_of(1)[ids.numpy()], LABELS[ids.numpy()])
    rec.end_epoch()
    rec.close(finished=False)
    assert recorder(tmp_path).epoch == 2


def test_close_asks_about_an_uncommitted_epoch(tmp_path):
    rec = recorder(tmp_path)
    record_all(rec)
    rec.record(IDS, logits_of(2), LABELS)
    with pytest.raises(LetheError, match="epoch 2 is recorded but not committed"):
        rec.close()
    rec.end_epoch()
    rec.close()
    rec.close()
    assert json.loads((tmp_path / "done.json").read_text())["epochs"] == 2
    with pytest.raises(LetheError, match="closed"):
        record_all(rec)


def test_an_error_in_the_loop_leaves_the_run_unfinished(tmp_path):
    def loop() -> None:
        with recorder(tmp_path) as rec:
            record_all(rec)
            rec.record(IDS, logits_of(2), LABELS)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loop()
    assert not traces.is_finished(tmp_path)
    assert recorder(tmp_path).epoch == 2


def test_metrics_are_kept_and_wrong_ones_refused(tmp_path):
    with recorder(tmp_path, view="eval") as rec:
        rec.record(IDS, logits_of(0), LABELS)
        for metrics, text in (
            ({"loss": 1.0}, "may not be called 'loss'"),
            ({"accuracy": "high"}, "single numbers"),
            ({"accuracy": [0.5, 0.6]}, "single numbers"),
        ):
            with pytest.raises(LetheError, match=text):
                rec.end_epoch(metrics)
        rec.end_epoch({"test_accuracy": torch.tensor(0.75), "f1": np.float32(0.5)})
    ds = read(tmp_path, "eval")
    assert ds["epoch"].values.tolist() == [0]
    assert (ds["test_accuracy"].item(), ds["f1"].item()) == (0.75, 0.5)


# with the rest of Lethe


def test_runs_pack_into_one_store(tmp_path):
    for seed in range(2):
        with recorder(tmp_path / f"s{seed}", seed=seed) as rec:
            for _ in range(3):
                record_all(rec, np.random.default_rng(seed).permutation(10))
    store = tmp_path / "zoo-tiny-own.zarr.zip"
    traces.compact([tmp_path / "s0", tmp_path / "s1"], store, "train")
    ds = traces.open_traces(store)
    assert (ds.attrs["preset"], ds.attrs["view"]) == ("own", "train")
    assert ds["missing"].values.tolist() == [[1, 1, 1], [1, 1, 1]]
    assert traces.complete(ds)["sample"].values.tolist() == IDS[:10]
    with pytest.raises(LetheError, match="6 predictions are missing"):
        traces.correct(ds)


def small_training(folder) -> str:
    """A loop with shuffling, augmentation and dropout; returns the final weights as bytes."""
    torch.manual_seed(3)
    x, y = torch.randn(11, 1, 8, 8), torch.from_numpy(LABELS)
    layers = (nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5))
    model = nn.Sequential(*layers, nn.Linear(144, 3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    rec = recorder(folder) if folder else None
    loader = torch.utils.data.DataLoader(range(11), batch_size=4, shuffle=True)
    for _ in range(4):
        for ids in loader:
            logits = model(x[ids] + 0.1 * torch.randn(len(ids), 1, 8, 8))
            if rec:
                rec.record(ids, logits, y[ids])
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, y[ids]).backward()
            optimizer.step()
        if rec:
            assert rec.end_epoch()["missing"] == 0
    if rec:
        rec.close()
    state = [*model.state_dict().values(), torch.get_rng_state()]
    return b"".join(tensor.numpy().tobytes() for tensor in state)


def test_recording_leaves_training_as_it_was(tmp_path):
    plain = small_training(None)
    assert small_training(tmp_path) == plain
    assert small_training(None) == plain


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # importing it fails
import numpy as np
from lethe.capture import TraceRecorder, merge_ranks
with TraceRecorder(sys.argv[1], sample_ids=["a", "b"], labels=[0, 1], classes=["x", "y"],
                   dataset="mine", model="softmax", seed=0) as recorder:
    recorder.record(["b", "a"], np.array([[0.0, 2.0], [1.0, 0.0]]), [1, 0])
    print(recorder.end_epoch())
"""


def test_it_works_without_torch(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, tmp_path], capture_output=True, text=True, check=True
    )
    assert "'recorded': 2" in done.stdout
    assert read(tmp_path)["prediction"].values.tolist() == [[0, 1]]
