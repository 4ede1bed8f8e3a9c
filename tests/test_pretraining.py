"""Pretraining: killed and resumed to the same bytes, skipped when done, refused when changed."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.torch import load_file

from lethe import datasets
from lethe.capture import model_card, models, pretraining
from lethe.errors import LetheError

SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from lethe import datasets
from lethe.capture.pretraining import pretrain
load = datasets.load
def few(name, split, pixels, root=None):
    images = load(name, split, pixels, root)
    return images.take(np.arange(0, len(images), 60))
datasets.load = few
def report(epoch, loss): print(epoch, flush=True)
out, epochs = Path(sys.argv[2]), int(sys.argv[3])
done = pretrain(sys.argv[1], out, epochs=epochs, report=report, device="cpu")
print("made" if done.made else "was there", done.accuracy, flush=True)
"""


def start(out, model="test_resnet", epochs=4):
    """Pretraining on a sixtieth of the glyphs, in a process of its own."""
    code = [sys.executable, "-c", SCRIPT, model, str(out), str(epochs)]
    return subprocess.Popen(code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def sha256(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One uninterrupted pretraining."""
    out = tmp_path_factory.mktemp("whole") / "weights.safetensors"
    said, errors = start(out).communicate()
    assert said.split()[:5] == ["1", "2", "3", "4", "made"], errors
    return out


def test_killed_after_an_epoch_it_ends_with_the_same_bytes(whole, tmp_path):
    out = tmp_path / "weights.safetensors"
    process = start(out)
    assert process.stdout.readline() == "1\n"
    time.sleep(0.02)  # somewhere in the second epoch
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert not out.exists()
    assert len(list((tmp_path / "weights.pretraining").glob("checkpoint-*.safetensors"))) == 1
    said, errors = start(out).communicate()
    assert said.split()[0] in ("2", "3"), errors
    assert sha256(out) == sha256(whole)
    assert out.with_suffix(".md").read_text() == whole.with_suffix(".md").read_text()
    assert not (tmp_path / "weights.pretraining").exists()


def test_what_is_finished_is_skipped(whole):
    before = whole.stat()
    said, errors = start(whole).communicate()
    assert said.startswith("was there"), errors
    assert whole.stat().st_mtime_ns == before.st_mtime_ns


def test_finished_weights_of_other_settings_are_refused(whole):
    said, errors = start(whole, epochs=5).communicate()
    assert not said
    assert "was made with epochs 4, this is 5" in errors.splitlines()[-1]


@pytest.fixture
def few_images(monkeypatch):
    """A sixtieth of the images."""
    load = datasets.load

    def few(name, split, pixels, root=None):
        images = load(name, split, pixels, root)
        return images.take(np.arange(0, len(images), 60))

    monkeypatch.setattr(datasets, "load", few)


def interrupted(out, **choices):
    """Pretrain until the first checkpoint is written."""

    def stop(epoch, loss):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretraining.pretrain("test_vit", out, device="cpu", report=stop, epochs=3, **choices)


@pytest.mark.parametrize(
    ("model", "change", "words"),
    [
        ("test_vit", {"epochs": 2}, "was made with epochs 3, this is 2"),
        ("test_resnet", {"epochs": 3}, "was made with model test_vit, this is test_resnet"),
        ("test_vit", {"epochs": 3, "threads": 2}, "was begun with threads 1, this is 2"),
    ],
)
def test_another_configuration_does_not_go_on(few_images, tmp_path, model, change, words):
    out = tmp_path / "weights.safetensors"
    interrupted(out)
    with pytest.raises(LetheError, match=words) as caught:
        pretraining.pretrain(model, out, device="cpu", **change)
    assert "\n" not in str(caught.value)


def test_sparse_checkpoints_end_with_the_same_bytes(few_images, tmp_path):
    often, seldom = tmp_path / "often.safetensors", tmp_path / "seldom.safetensors"
    pretraining.pretrain("test_vit", often, device="cpu", epochs=2)
    interrupted(seldom.with_name("other.safetensors"), every=1e6)
    assert not list((tmp_path / "other.pretraining").glob("checkpoint-*"))
    pretraining.pretrain("test_vit", seldom, device="cpu", epochs=2, every=1e6)
    assert sha256(often) == sha256(seldom)


def test_the_card_says_what_the_file_is(whole):
    card, text = model_card.read(whole), whole.with_suffix(".md").read_text()
    assert card["recipe"]["epochs"] == 4
    assert card["images"] == 289
    assert card["fingerprint"] in text
    assert f"{card['test_accuracy']:.1%} of 34 held-out images" in text
    for heading in ("task", "Use.", "Licence.", "## Recipe", "## Environment"):
        assert heading in text
    assert "typefaces" in card["terms"]
    assert "non-commercial" in model_card.TERMS["tiny-imagenet-200"]


def test_the_file_holds_the_backbone_alone_and_loads(whole):
    recipe = pretraining.pretraining_recipe("test_resnet", "quick")
    model = models.build_model("test_resnet", 62, 1, recipe, 0, str(whole))
    stored = load_file(whole)
    assert set(stored) == set(model.state_dict()) - models.head_names(model)
    assert all((model.state_dict()[name] == stored[name]).all() for name in stored)


def test_a_damaged_or_foreign_file_is_named(tmp_path):
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"nonsense")
    with pytest.raises(LetheError, match=r"weights[.]safetensors is not a readable"):
        model_card.read(file)
    with pytest.raises(LetheError, match="did you mean 'tiny-imagenet-200'"):
        pretraining.pretraining_recipe("test_vit", "quick", dataset="tiny-imagenet")


def test_lengths_are_those_of_the_shipped_weights():
    for dataset, model, epochs in [
        ("glyphs", "test_resnet", 20),
        ("glyphs", "test_vit", 40),
        ("glyphs", "resnet18", 6),
        ("tiny-imagenet-200", "test_resnet", 30),
        ("tiny-imagenet-200", "test_vit", 40),
        ("tiny-imagenet-200", "resnet18", 12),
    ]:
        recipe = pretraining.pretraining_recipe(model, "quick", dataset=dataset)
        assert (recipe.epochs, recipe.warmup_epochs) == (epochs, 0)
        assert recipe.flip == (dataset != "glyphs")


def test_old_metadata_is_read_as_a_card(tmp_path):
    """The first shipped weights carry one metadata entry a fact."""
    from safetensors.numpy import save_file

    file = tmp_path / "old.safetensors"
    metadata = {"model": "m", "recipe": json.dumps({"epochs": 3}), "test_accuracy": "0.5"}
    save_file({"a": np.zeros(2, np.float32)}, file, metadata)
    assert model_card.read(file)["recipe"] == {"epochs": 3}
