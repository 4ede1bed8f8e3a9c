"""One run on several processes against the same run on one: draws, accounting, steps, resumes.

Two and three processes of one thread, which talk through gloo. With `-s` the figures are printed.
"""

import subprocess
import sys
import time

import numpy as np
import process_runs as runs
import psutil
import pytest
import torch
from tiny_captures import contents

from lethe import cli
from lethe.capture import environment, processes, together
from lethe.capture.verify import verify_run
from lethe.errors import LetheError
from lethe.traces import read_run

WORLDS = (2, 3)
MODELS = tuple(runs.SAMPLES)
GRADIENT = 1e-6  # largest difference of gradients in float64, beside the largest gradient
LOSS = 1e-4  # of losses in float32, for the network without BatchNorm
MARGIN = 1e-3  # under which a prediction may differ


@pytest.fixture(scope="module")
def launched(tmp_path_factory):
    """A capture by torchrun that runs beside what `out` does, and its folder."""
    folder = tmp_path_factory.mktemp("torchrun")
    with torchrun(folder) as launcher:
        yield folder, launcher
        launcher.terminate()


@pytest.fixture(scope="module")
def out(launched, tmp_path_factory):
    """A folder by number of processes, with all that they made."""
    folders = {world: tmp_path_factory.mktemp(f"on-{world}") for world in (1, *WORLDS)}
    for world, folder in folders.items():
        assert runs.group(world, folder, runs.everything) == [0] * world
    return folders


def found(folder, name, rank=0) -> dict[str, np.ndarray]:
    """What a process left under a name."""
    with np.load(folder / f"{name}-{rank}.npz") as file:
        return dict(file)


def traces(out, world, view="eval", model="test_vit", **choices):
    """The trace of one process and that of several."""
    name = runs.plan(model, **choices).name
    return read_run(out[1] / name, view), read_run(out[world] / name, view)


def farthest(one, other) -> float:
    """The largest difference of any array, beside the largest value of that array."""
    assert one.keys() == other.keys()
    return max(
        float(np.abs(one[name] - other[name]).max() / max(np.abs(one[name]).max(), 1e-300))
        for name in one
    )


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("model", MODELS)
def test_the_same_batches_in_the_same_order(out, model, world):
    one, several = traces(out, world, model=model)
    for name in ("order_hash", "multiset_hash", "augment_hash"):
        assert one[name].values.tolist() == several[name].values.tolist()
    assert verify_run(out[world] / runs.plan(model).name).problems == []


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("model", MODELS)
def test_every_sample_is_recorded_once_in_both_views(out, model, world):
    for view, epochs in (("eval", 3), ("train", 2)):
        one, several = traces(out, world, view, model)
        assert several.sizes == {"epoch": epochs, "sample": runs.SAMPLES[model]}
        assert several.sample.values.tolist() == one.sample.values.tolist()
        assert (several.prediction.values >= 0).all()
        assert np.isfinite(several.loss.values).all()


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("model", MODELS)
def test_the_epoch_of_the_warm_up_is_the_same_bit_for_bit(out, model, world):
    """Same weights and same clean batches: only the training steps are shared out."""
    one, several = (trace.sel(epoch=0) for trace in traces(out, world, model=model))
    for name in ("prediction", "loss", "margin", "error_l2", "weights_hash", "batch_norm_hash"):
        np.testing.assert_array_equal(several[name].values, one[name].values)
    assert several.test_accuracy == one.test_accuracy


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("model", MODELS)
def test_the_first_step_has_the_same_gradients(out, model, world):
    alone, together = (found(out[n], f"step-{model}") for n in (1, world))
    difference = farthest(alone, together)
    print(f"\n{model}, {world} processes: gradients differ by {difference:.1e}, relative")
    assert difference < GRADIENT


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("model", MODELS)
def test_in_float64_two_epochs_end_in_the_same_weights_on_every_process(out, model, world):
    """A last batch of two leaves one of three processes without a sample."""
    alone = found(out[1], f"end-{model}")
    ends = [found(out[world], f"end-{model}", rank) for rank in range(world)]
    for name, values in ends[0].items():
        for other in ends[1:]:
            np.testing.assert_array_equal(other[name], values)
    difference = farthest(alone, ends[0])
    print(f"\n{model}, {world} processes: after two epochs {difference:.1e}, relative")
    assert difference < GRADIENT


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("view", ["eval", "train"])
def test_without_batch_norm_losses_and_predictions_agree(out, world, view):
    one, several = traces(out, world, view)
    apart = np.abs(one.loss - several.loss).max().item()
    flipped = one.prediction.values != several.prediction.values
    print(f"\n{view}, {world} processes: losses differ by {apart:.1e}, {flipped.sum()} predictions")
    assert apart < LOSS
    assert (np.abs(one.margin.values[flipped]) < MARGIN).all()
    np.testing.assert_allclose(several.train_loss, one.train_loss, atol=LOSS)


@pytest.mark.parametrize("world", WORLDS)
def test_with_batch_norm_the_first_epoch_trains_alike(out, world):
    """In float32 torch's own BatchNorm for CPUs rounds more coarsely, and later epochs part."""
    one, several = traces(out, world, model="test_resnet")
    apart = np.abs(one.train_loss - several.train_loss).values
    flipped = (one.prediction != several.prediction).sum("sample").values
    print(f"\n{world} processes: training losses differ by {apart[1:]}, predictions {flipped}")
    assert apart[1] < 0.01


@pytest.mark.parametrize("world", WORLDS)
def test_a_sampler_plans_the_same_on_wrong_labels(out, world):
    one, several = traces(out, world, **runs.SPACED)
    assert one.label.values.tolist() == several.label.values.tolist()
    for name in ("order_hash", "multiset_hash"):
        assert one[name].values.tolist() == several[name].values.tolist()
    assert len(set(one.multiset_hash.values.tolist())) == 3  # an epoch does not visit all once


@pytest.mark.parametrize("world", WORLDS)
def test_a_sample_recorded_twice_or_never_is_an_error_everywhere(out, world):
    for rank in range(world):
        said = found(out[world], "recorded", rank)["said"].tolist()
        assert "position 1 was recorded" in said[0]
        assert f"position 1 was recorded {world} times" in said[1]


@pytest.mark.parametrize("world", WORLDS)
def test_batch_norm_with_an_activation_normalises_over_all(out, world):
    alone, together = (found(out[n], "activation") for n in (1, world))
    assert farthest(alone, together) < 1e-12


def test_processes_that_part_are_an_error(tmp_path):
    assert runs.group(2, tmp_path, runs.parted) == [0, 0]
    said = [str(found(tmp_path, "parted", rank)["said"]) for rank in (0, 1)]
    assert said[0] == said[1]
    assert "process 1 and process 0 have parted: epoch 1.weights" in said[0]


def test_killed_then_resumed_on_as_many_processes_only(out, tmp_path):
    name = runs.plan("test_resnet").name
    codes = runs.group(2, tmp_path, runs.killed_in_epoch_2, tmp_path)
    assert codes[1] == -9
    assert codes[0] not in (0, -9)  # it ends by itself
    assert read_run(tmp_path / name).sizes["epoch"] == 2
    for world, words in ((1, "under torchrun"), (3, "this is 3"), (2, "")):
        assert runs.group(world, tmp_path, runs.resumed, tmp_path) == [0] * world
        said = str(found(tmp_path, "resumed", world - 1)["said"])
        assert bool(said) == bool(words), said
    assert contents(tmp_path / name) == contents(out[2] / name)


def torchrun(folder, *options: str, world: int = 2) -> subprocess.Popen:
    """The command, as it is in the book, on processors."""
    settings = ["-s", "epochs=2", "-s", "warmup_epochs=2", "--limit", "130"]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", *options]
    command = [*launch, f"--nproc-per-node={world}", "-m", "lethe", "capture", "glyphs", *settings]
    views = ["--views", "eval,train", "--device", "cpu", "--out", str(folder)]
    return subprocess.Popen(
        [*command, *views], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_torchrun_carries_a_run_and_the_first_process_tells(out, launched):
    folder, launcher = launched
    name = runs.plan("test_resnet").name
    said, errors = launcher.communicate()
    told = "".join(said.split())  # it comes in lines of 80 characters, after the bar
    assert told.count(str(folder / name)) == 1, errors
    alone, together = (read_run(place / name) for place in (out[2], folder))
    for kind in ("weights_hash", "order_hash", "batch_norm_hash", "optimizer_hash"):
        assert together[kind].values.tolist() == alone[kind].values.tolist()


def test_shares_cover_a_batch_and_turns_the_batches(monkeypatch):
    for world in (1, 2, 3, 7):
        monkeypatch.setattr(processes, "size", lambda world=world: world)
        for count in (0, 1, 2, 5, 64):
            rows, turns = [], []
            for rank in range(world):
                monkeypatch.setattr(processes, "rank", lambda rank=rank: rank)
                rows.append(list(range(count))[processes.own_rows(count)])
                turns += range(count)[processes.own_turns()]
            assert [row for share in rows for row in share] == sorted(turns) == list(range(count))
            assert max(map(len, rows)) - min(map(len, rows)) <= 1


def test_every_process_has_the_card_of_its_number(monkeypatch):
    chosen = []
    monkeypatch.setattr(processes, "in_group", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert processes.own_device("auto") == processes.own_device("cuda") == "cuda:1"
    assert chosen == [1, 1]
    assert processes.own_device("cpu") == "cpu"
    with pytest.raises(LetheError, match="a card of its own: use cuda, not cuda:0"):
        processes.own_device("cuda:0")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(LetheError, match="this machine has 2: use torchrun --nproc-per-node 2"):
        processes.own_device("auto")


def test_what_is_said_once_or_refused(monkeypatch, tmp_path):
    now = dict.fromkeys(environment.EXACT, 0)
    environment.check_same(now, now, tmp_path)
    with pytest.raises(LetheError, match=r"with 4 process\(es\), this is 1.*--nproc-per-node 4 -m"):
        environment.check_same({**now, "processes": 4}, now, tmp_path)
    with pytest.raises(LetheError, match="leave --jobs out"):
        together.capture_together([], tmp_path, jobs=2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    for command, told in (("capture", True), ("traces", False)):
        monkeypatch.setattr(sys, "argv", ["lethe", command])
        assert cli.told_elsewhere() == told


def alive(children) -> list:
    """The processes that are still there."""
    return [child for child in children if child.is_running() and child.status() != "zombie"]


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["a process", "torchrun itself", "restarted"])
def test_killed_under_torchrun_the_same_command_goes_on(out, tmp_path, whom):
    """Whoever is killed, nobody is left, and the command ends as if never interrupted."""
    name = runs.plan("test_resnet").name
    launcher = torchrun(tmp_path, *(["--max-restarts=1"] if whom == "restarted" else []))
    while not list((tmp_path / name).glob("epochs/eval-0001.commit.json")):
        time.sleep(0.01)
    workers = psutil.Process(launcher.pid).children(recursive=True)
    (launcher if whom == "torchrun itself" else workers[-1]).kill()
    errors = launcher.communicate()[1]
    assert (launcher.returncode == 0) == (whom == "restarted"), errors
    until = time.monotonic() + 30
    while alive(workers) and time.monotonic() < until:
        time.sleep(0.1)
    assert alive(workers) == []
    if whom != "restarted":
        again = torchrun(tmp_path)
        errors = again.communicate()[1]
        assert again.returncode == 0, errors
    kept, whole = (read_run(folder / name) for folder in (tmp_path, out[2]))
    np.testing.assert_array_equal(kept.loss.values, whole.loss.values)
    assert kept.weights_hash.values.tolist() == whole.weights_hash.values.tolist()
