"""Capture end to end on a few hundred glyphs: exact repeats, exact resume, silent recorder,
clear refusals.
"""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import xarray as xr

from lethe.capture import capture_run, finetune, models, plan_run, state, training
from lethe.capture.recipes import find_recipe
from lethe.errors import LetheError
from lethe.paths import data_folder
from lethe.traces import read_run

CHOICES = {"limit": 200, "epochs": 3, "warmup_epochs": 2}


def plan(model="test_resnet", seed=0, **choices):
    return plan_run("glyphs", model, seed=seed, **{**CHOICES, **choices})


@pytest.fixture(scope="module", autouse=True)
def few_test_images():
    """A tenth of the test split is enough here, and ten times as fast."""
    full = finetune.load_split

    def small(dataset, split, pixels, root):
        images = full(dataset, split, pixels, root)
        return images if split == "train" else images.take(np.arange(0, len(images), 10))

    finetune.load_split = small
    yield
    finetune.load_split = full


@pytest.fixture(scope="module", params=["test_resnet", "test_vit"])
def finished(request, tmp_path_factory):
    run = plan(request.param)
    return run, capture_run(run, tmp_path_factory.mktemp("runs"), device="cpu")


def weights_of(folder):
    return (folder / "weights.safetensors").read_bytes()


def assert_same_trace(one, other):
    """Everything but the clock."""
    clock = ["seconds", "record_seconds"]
    xr.testing.assert_equal(read_run(one).drop_vars(clock), read_run(other).drop_vars(clock))


def test_a_run_holds_every_epoch_and_sample(finished):
    run, folder = finished
    trace = read_run(folder)
    assert trace.sizes == {"epoch": 4, "sample": 200}
    assert list(trace.epoch.values) == [0, 1, 2, 3]
    assert trace.loss.isnull().sum() == 0
    assert trace.attrs["model"] == run.model
    assert (trace.prediction >= 0).all()


def test_recorded_numbers_are_those_of_the_final_weights(finished):
    """Independent check: rebuild the model from its saved weights and measure it in numpy."""
    run, folder = finished
    images = finetune.training_images(run)
    model = models.build_model(run.model, 62, 1, run.recipe, seed=99, weights="none")
    model.load_state_dict(state.load_file(folder / "weights.safetensors"))
    pixels = torch.from_numpy(images.pixels.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1)
    with torch.no_grad():
        logits = model.eval()(pixels).double().numpy()
    last = read_run(folder).isel(epoch=-1)
    shifted = np.exp(logits - logits.max(1, keepdims=True))
    probability = shifted / shifted.sum(1, keepdims=True)
    own = probability[np.arange(200), images.labels]
    np.testing.assert_allclose(last.loss, -np.log(own), atol=1e-4)
    assert (last.prediction.values == logits.argmax(1)).mean() > 0.99


def test_the_same_run_twice_is_identical_and_a_new_seed_is_not(finished, tmp_path):
    run, folder = finished
    again = capture_run(run, tmp_path, device="cpu")
    assert weights_of(again) == weights_of(folder)
    assert_same_trace(again, folder)
    other = capture_run(plan(run.model, seed=1), tmp_path, device="cpu")
    assert weights_of(other) != weights_of(folder)


def test_an_interrupted_run_ends_byte_identical(finished, tmp_path, monkeypatch):
    run, folder = finished
    train_epoch = training.train_epoch

    def fail_in_epoch_2(*args):
        if args[5] == 2:
            raise KeyboardInterrupt
        return train_epoch(*args)

    monkeypatch.setattr(training, "train_epoch", fail_in_epoch_2)
    with pytest.raises(KeyboardInterrupt):
        capture_run(run, tmp_path, device="cpu")
    monkeypatch.setattr(training, "train_epoch", train_epoch)
    assert list(read_run(tmp_path / run.name).epoch.values) == [0, 1]
    resumed = capture_run(run, tmp_path, device="cpu")
    assert weights_of(resumed) == weights_of(folder)
    assert_same_trace(resumed, folder)
    assert not list(resumed.glob("checkpoint-*"))


SCRIPT = """
import sys
from lethe.capture import capture_run, plan_run
run = plan_run("glyphs", "test_resnet", seed=0, limit=200, epochs=4, warmup_epochs=2)
print(run.name, flush=True)
capture_run(run, sys.argv[1], device="cpu")
"""


def start_capture(out):
    """The same capture in a process of its own, and the folder it writes."""
    code = [sys.executable, "-c", SCRIPT, str(out)]
    process = subprocess.Popen(code, stdout=subprocess.PIPE, text=True)
    return process, out / process.stdout.readline().strip()


def test_a_killed_run_ends_like_an_uninterrupted_one(tmp_path):
    process, folder = start_capture(tmp_path / "killed")
    while process.poll() is None and len(list(folder.glob("epochs/*.commit.json"))) < 2:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = read_run(folder)
    assert 2 <= kept.sizes["epoch"] < 5
    again, folder = start_capture(tmp_path / "killed")
    other, whole = start_capture(tmp_path / "whole")
    assert again.wait() == other.wait() == 0
    assert weights_of(folder) == weights_of(whole)
    assert_same_trace(folder, whole)
    assert np.array_equal(read_run(whole).loss[: kept.sizes["epoch"]], kept.loss)


def test_recording_changes_no_weight(finished):
    run, folder = finished
    images, where = finetune.training_images(run), models.pick_device("cpu")
    data = training.Resident.of(images, where)
    model = models.build_model(run.model, 62, 1, run.recipe, run.seeds.init, run.backbone)
    model = model.to(memory_format=torch.channels_last)
    optimizer = training.make_optimizer(model, run.recipe)
    training.warm_up_head(model, data, run.recipe, run.seeds)
    for epoch in (1, 2, 3):
        training.train_epoch(model, optimizer, data, run.recipe, run.seeds, epoch)
    hashes = read_run(folder).weights_hash.values
    assert state.digest(model.named_parameters()) == hashes[-1]


@pytest.mark.parametrize("purpose", ["init", "order", "augment"])
def test_every_stream_can_vary_alone(purpose, tmp_path):
    short = {"epochs": 1, "limit": 130}
    base = capture_run(plan(**short), tmp_path, device="cpu")
    other = capture_run(plan(held={purpose: 5}, **short), tmp_path, device="cpu")
    assert weights_of(base) != weights_of(other)
    orders = [read_run(folder).order_hash.values[1] for folder in (base, other)]
    assert (orders[0] == orders[1]) == (purpose != "order")


def test_the_split_stream_draws_the_subset():
    chosen = [set(finetune.training_images(plan(held={"split": s})).sample_ids) for s in (0, 0, 1)]
    assert chosen[0] == chosen[1]
    assert chosen[0] != chosen[2]
    labels = finetune.training_images(plan()).labels
    assert set(np.bincount(labels)) <= {3, 4}


def test_a_diverging_run_keeps_its_commits(tmp_path):
    run = plan(learning_rate=1e30)
    with pytest.raises(LetheError, match=r"diverged|NaN|finite"):
        capture_run(run, tmp_path, device="cpu")
    assert 0 in read_run(tmp_path / run.name).epoch


def test_a_resume_elsewhere_is_refused(tmp_path, monkeypatch):
    run = plan()
    monkeypatch.setattr(
        training, "train_epoch", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        capture_run(run, tmp_path, device="cpu")
    with pytest.raises(LetheError, match="begun with threads 1, this is 2"):
        capture_run(run, tmp_path, device="cpu", threads=2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "test_resnt"}, "did you mean 'test_resnet'"),
        ({"preset": "quik"}, "did you mean 'quick'"),
        ({"dataset": "glyph"}, "did you mean 'glyphs'"),
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"batch_size": 1}, "at least 2"),
        ({"limit": -1}, "0 .all samples. or above"),
        ({"held": {"ordr": 1}}, "did you mean 'order'"),
    ],
)
def test_unknown_names_are_refused_with_the_nearest(change, words):
    choices = {"dataset": "glyphs", "model": "test_resnet", **change}
    with pytest.raises(LetheError, match=words):
        plan_run(choices.pop("dataset"), choices.pop("model"), **choices)


def test_an_unwritable_folder_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(LetheError, match="file"):
        capture_run(plan(), blocked, device="cpu")


def test_missing_or_foreign_weights_are_refused(tmp_path):
    recipe = find_recipe("quick", "test_resnet")
    with pytest.raises(LetheError, match=r"there is no weights file .*nowhere"):
        models.build_model("test_resnet", 62, 1, recipe, 0, str(tmp_path / "nowhere"))
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nonsense")
    with pytest.raises(LetheError, match="not a readable safetensors file"):
        models.build_model("test_resnet", 62, 1, recipe, 0, str(broken))
    small = dataclasses.replace(find_recipe("quick", "test_vit"), patch_size=4)
    with pytest.raises(LetheError, match="does not fit"):
        models.build_model("test_vit", 62, 1, small, 0, plan("test_vit").backbone)
    with pytest.raises(LetheError, match="lethe pretrain resnet18 --dataset glyphs"):
        models.weights_file("resnet18", 48, "glyphs")


def test_a_run_is_bound_to_the_weights_it_began_with(tmp_path):
    file = tmp_path / "backbone.safetensors"
    file.write_bytes((data_folder() / "weights/test_resnet-32px-glyphs.safetensors").read_bytes())
    run = plan(weights=str(file), epochs=1, limit=62)
    folder = capture_run(run, tmp_path / "runs", device="cpu")
    tensors = state.load_file(file)
    state.write_tensors({name: tensor + 1 for name, tensor in tensors.items()}, file)
    for unfinished in (False, True):
        if unfinished:
            (folder / "done.json").unlink()
        with pytest.raises(LetheError, match="begun with other weights"):
            capture_run(run, tmp_path / "runs", device="cpu")
    file.unlink()
    with pytest.raises(LetheError, match="there is no weights file"):
        capture_run(run, tmp_path / "runs", device="cpu")


def test_a_last_batch_of_one_joins_its_neighbour():
    sizes = [len(part) for part in training.batches(torch.arange(129), 64)]
    assert sizes == [64, 65]
    assert [len(part) for part in training.batches(torch.arange(1), 64)] == [1]


def test_the_learning_rate_rises_then_falls_to_nothing():
    recipe = find_recipe("quick", "test_resnet")
    rates = [training.learning_rate(recipe, step, 1000) for step in range(1000)]
    peak = int(np.argmax(rates))
    assert 90 <= peak <= 110
    assert max(rates) == pytest.approx(recipe.learning_rate, rel=1e-2)
    assert all(np.diff(rates[:peak]) > 0)
    assert all(np.diff(rates[peak + 1 :]) < 0)
    assert rates[-1] < 1e-5
