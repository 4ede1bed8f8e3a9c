"""The random-number contract end to end: silent recorder, five separate streams, exact repeats."""

import hashlib
import random

import numpy as np
import pytest
import torch
from tiny_captures import capture, contents, hashes, load_whole_split, plan
from torch import nn

from lethe.capture import audit, finetune, models, state, streams, training
from lethe.traces import read_run

SHORT = {"limit": 62, "epochs": 1, "warmup_epochs": 0}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One run with both views; tests that need the same run again share it."""
    return capture(tmp_path_factory.mktemp("runs"), views=("eval", "train"))


@pytest.mark.parametrize("views", [("eval",), ("train",)])
def test_the_views_change_no_weight(views, finished, tmp_path):
    other = capture(tmp_path, views=views)
    assert contents(other)["weights.safetensors"] == contents(finished)["weights.safetensors"]
    for epoch in (1, 2, 3):
        assert hashes(other, epoch, views[0]) == hashes(finished, epoch)
    assert read_run(other, views[0]).loss.equals(read_run(finished, views[0]).loss)


def test_recording_changes_no_weight_buffer_or_moment(finished):
    """The same epochs by hand, with no recorder and no clean pass at all."""
    run = plan()
    data = training.Resident.of(finetune.training_images(run), models.pick_device("cpu"))
    model = models.build_model(run.model, 62, 1, run.recipe, run.seeds.init, "none")
    model = model.to(memory_format=torch.channels_last)
    optimizer = training.make_optimizer(model, run.recipe)
    training.warm_up_head(model, data, run.recipe, run.seeds)
    for epoch in (1, 2, 3):
        training.train_epoch(model, optimizer, data, run.recipe, run.seeds, epoch)
        recorded = hashes(finished, epoch)
        assert state.digest(model.named_parameters()) == recorded["weights"]
        assert state.digest(models.batch_norms(model)) == recorded["batch_norm"]
        moments = state.optimizer_tensors(optimizer).items()
        assert state.digest(moments) == recorded["optimizer"]


def evidence(out, **choices) -> dict[str, str]:
    """What each stream but dropout did in a run without head warm-up."""
    folder = capture(out, **SHORT, **choices)
    chosen = "\n".join(read_run(folder).sample.values)
    last = hashes(folder, 1)
    return {
        "split": hashlib.sha256(chosen.encode()).hexdigest(),
        "init": hashes(folder, 0)["weights"],
        "order": last["order"],
        "augment": last["augment"],
    }


@pytest.mark.parametrize("held", ["init", "order", "augment"])
def test_a_stream_is_held_while_the_others_vary(held, tmp_path):
    """Order and augmentation are draws of samples: the same subset is needed to compare them."""
    first, second = (evidence(tmp_path, seed=seed, held={held: 5, "split": 5}) for seed in (0, 1))
    assert {name for name in first if first[name] == second[name]} == {held, "split"}


def test_the_split_is_held_while_the_others_vary(tmp_path):
    first, second = (evidence(tmp_path, seed=seed, held={"split": 5}) for seed in (0, 1))
    assert {name for name in first if first[name] == second[name]} == {"split"}
    third = evidence(tmp_path, seed=0, held={"split": 6})
    assert third["init"] == first["init"]
    assert third["split"] != first["split"]


class Masked(nn.Module):
    """A linear classifier that keeps the dropout masks it drew."""

    def __init__(self):
        super().__init__()
        self.head, self.masks = nn.Linear(1024, 62), []

    def forward(self, images):
        mask = nn.functional.dropout(torch.ones(len(images), 1024), 0.5, self.training)
        self.masks.append(mask)
        return self.head(images.flatten(1) * mask)


def masks_of(seed, epoch=1, **held) -> bytes:
    run = plan(seed, held={"split": 0, **held})
    data = training.Resident.of(finetune.training_images(run), torch.device("cpu"))
    model = Masked()
    optimizer = training.make_optimizer(model, run.recipe)
    training.train_epoch(model, optimizer, data, run.recipe, run.seeds, epoch)
    return torch.cat(model.masks).numpy().tobytes()


def test_dropout_is_held_while_the_others_vary():
    assert masks_of(0, dropout=5) == masks_of(1, dropout=5)
    assert masks_of(0) != masks_of(1)
    assert masks_of(0, dropout=5) != masks_of(0, dropout=6)
    assert masks_of(0, epoch=1) != masks_of(0, epoch=2)


def test_the_same_run_twice_is_byte_identical(finished, tmp_path):
    again = capture(tmp_path, views=("eval", "train"))
    assert contents(again) == contents(finished)


def test_global_generators_are_neither_used_nor_moved(finished, tmp_path):
    torch.manual_seed(11)
    np.random.seed(11)
    random.seed(11)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    folder = capture(tmp_path, views=("eval", "train"))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]
    assert random.getstate() == before[2]
    assert contents(folder) == contents(finished)


def test_the_row_order_of_the_data_set_does_not_matter(finished, tmp_path, monkeypatch):
    shuffle = np.random.default_rng(3)

    def shuffled_split(*place):
        images = load_whole_split(*place)
        return images.take(shuffle.permutation(len(images)))

    monkeypatch.setattr("tiny_captures.load_whole_split", shuffled_split)
    other = capture(tmp_path, views=("eval", "train"))
    trace, shuffled = read_run(finished), read_run(other)
    assert sorted(shuffled.sample.values) == sorted(trace.sample.values)
    assert list(shuffled.sample.values) != list(trace.sample.values)
    same = shuffled.sel(sample=trace.sample.values)
    np.testing.assert_allclose(same.loss, trace.loss, atol=1e-4)
    for name in ("order", "multiset", "augment"):
        assert list(shuffled[f"{name}_hash"].values) == list(trace[f"{name}_hash"].values)


def test_the_hashes_are_of_what_training_really_visits(finished, monkeypatch):
    """The same hashes from the batches and draws that reach the training step."""
    run, visited, drawn = plan(), [], []
    data = training.Resident.of(finetune.training_images(run), torch.device("cpu"))
    step = training.train_step

    def noting_step(model, optimizer, data, recipe, draws, part, *others):
        visited.extend(data.keys[part.numpy()].tolist())
        drawn.extend(draws.tolist())
        return step(model, optimizer, data, recipe, draws, part, *others)

    monkeypatch.setattr(training, "train_step", noting_step)
    model = Masked()
    optimizer = training.make_optimizer(model, run.recipe)
    training.train_epoch(model, optimizer, data, run.recipe, run.seeds, 2)
    by_key = [draws for _, draws in sorted(zip(visited, drawn))]
    recorded = hashes(finished, 2)
    assert recorded["order"] == digest(np.array(visited, "<u8"))
    assert recorded["multiset"] == digest(np.array(sorted(visited), "<u8"))
    assert recorded["augment"] == digest(np.array(by_key, "<f4"))
    assert len(set(visited)) == len(visited) == len(data)


def digest(values) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()[:16]


def test_the_warm_up_is_hashed_with_all_its_passes(finished):
    keys = streams.sample_keys(read_run(finished).sample.values)
    run = plan()
    order, multiset, augment = (
        hashes(finished, 0)[name] for name in ("order", "multiset", "augment")
    )
    passes = [
        keys[streams.shuffled(0, "order", audit.WARMUP_EPOCH + number, keys)] for number in (0, 1)
    ]
    assert order == digest(np.concatenate(passes).astype("<u8"))
    assert multiset == digest(np.sort(np.concatenate(passes)).astype("<u8"))
    assert augment == ""
    none = plan(warmup_epochs=0).recipe
    assert set(audit.epoch_hashes(keys, run.seeds, none, 0).values()) == {""}
