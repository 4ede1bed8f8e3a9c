"""The check of a run folder: whole folders pass with counts, every damage is found and named."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from trace_runs import epoch_arrays, manifest, samples

from lethe.capture import streams
from lethe.capture.audit import epoch_hashes
from lethe.capture.recipes import find_recipe
from lethe.capture.verify import verify_run, verify_traces
from lethe.errors import LetheError
from lethe.traces import compact, file_sha256, open_run

RECIPE = find_recipe("quick", "test_resnet", epochs=2, warmup_epochs=1)
SEEDS = streams.Seeds.of_run(3, order=8)


def arrays_of(epoch: int, label: np.ndarray) -> dict[str, np.ndarray]:
    """An epoch whose margins agree with its predictions."""
    arrays = epoch_arrays(epoch, n=len(label))
    right = arrays["prediction"] == label
    return arrays | {"margin": np.where(right, 1, -1) * np.abs(arrays["margin"])}


@pytest.fixture
def folder(tmp_path) -> Path:
    """A finished run of both views, made without any training."""
    begun = manifest(recipe=RECIPE.as_dict(), seeds=SEEDS.as_dict(), views=["eval", "train"])
    text = json.dumps(begun["config"], sort_keys=True)
    begun["run_id"] = hashlib.sha256(text.encode()).hexdigest()[:12]
    table, path = samples(40), tmp_path / f"zoo-{begun['run_id']}"
    label, keys = table["label"].to_numpy(), streams.sample_keys(table["sample_id"])
    with open_run(path, begun, table) as log:
        for epoch in range(3):
            arrays = arrays_of(epoch, label)
            metrics = {"train_accuracy": float((arrays["prediction"] == label).mean())}
            hashes = epoch_hashes(keys, SEEDS, RECIPE, epoch) | {"weights": "f00"}
            if epoch:
                log.write_epoch(epoch, arrays, metrics, hashes, "train")
            log.write_epoch(epoch, arrays, metrics, hashes)
        (path / "weights.safetensors").write_bytes(EMPTY)
        end = {"weights.safetensors": file_sha256(path / "weights.safetensors")}
        log.finish({"weights": hashlib.sha256().hexdigest()[:16], "sha256": end})
    return path


EMPTY = (2).to_bytes(8, "little") + b"{}"  # a safetensors file without tensors


def edit(file: Path, change) -> None:
    """Change a JSON file in place."""
    value = json.loads(file.read_text())
    change(value)
    file.write_text(json.dumps(value))


def test_a_whole_run_passes_with_counts(folder):
    report = verify_run(folder)
    assert report.problems == []
    assert report.left_over == []
    assert report.passed["files by hash"] == 5
    assert report.passed["order hash"] == report.passed["multiset hash"] == 5
    assert report.passed["augment hash"] == 4, "the warm-up augments nothing"
    assert report.passed["train accuracy"] == 3
    assert report.passed["run id"] == report.passed["last epoch"] == 1
    assert "no problem in" in report.lines()[0]
    assert any("need the training itself" in line for line in report.not_checked)


def commit(name):
    return f"epochs/{name}.commit.json"


DAMAGES = {
    "flipped byte": (
        lambda run: (run / "epochs/eval-0001.parquet").write_bytes(b"PAR1nonsense"),
        "eval epoch 1.*has changed since it was committed",
    ),
    "epoch removed": (
        lambda run: (run / "epochs/train-0002.parquet").unlink(),
        "train epoch 2.*is missing though committed",
    ),
    "record removed": (
        lambda run: (run / commit("eval-0001")).unlink(),
        r"eval epochs without a gap is \[1\]",
    ),
    "last record removed": (
        lambda run: (run / commit("eval-0002")).unlink(),
        "last epoch is 1, expected 2",
    ),
    "record of another epoch": (
        lambda run: edit(run / commit("eval-0001"), lambda value: value.update(epoch=2)),
        "eval epoch 1: record is",
    ),
    "empty record": (
        lambda run: (run / commit("eval-0001")).write_text("{}"),
        "is no commit record",
    ),
    "accuracy": (
        lambda run: edit(run / commit("eval-0001"), raise_accuracy),
        "eval epoch 1: train accuracy is",
    ),
    "configuration": (
        lambda run: edit(
            run / "manifest.json", lambda value: value["config"].update(model="other")
        ),
        "manifest.json: run id is",
    ),
    "seed": (
        lambda run: edit(
            run / "manifest.json", lambda value: value["config"]["seeds"].update(order=3)
        ),
        "eval epoch 1: order hash is",
    ),
    "other samples": (
        lambda run: rewrite_samples(run, sample_id=lambda ids: ids + "x"),
        "eval epoch 1: multiset hash is",
    ),
    "other labels": (
        lambda run: rewrite_samples(run, label=lambda label: ((label + 1) % 3).astype(np.int16)),
        "eval epoch 1: train accuracy is",
    ),
    "weights": (
        lambda run: (run / "weights.safetensors").write_bytes(EMPTY[:-1] + b" }"),
        "weights.safetensors: final files by hash",
    ),
    "weights removed": (
        lambda run: (run / "weights.safetensors").unlink(),
        "weights.safetensors: final files by hash is missing",
    ),
}


def raise_accuracy(record):
    record["metrics"]["train_accuracy"] += 0.025


def rewrite_samples(run, **changes):
    table = pd.read_parquet(run / "samples.parquet")
    for name, change in changes.items():
        table[name] = change(table[name])
    table.to_parquet(run / "samples.parquet")


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_named(damage, folder):
    harm, words = DAMAGES[damage]
    harm(folder)
    report = verify_run(folder)
    assert report.problems
    assert any(pd.Series(report.problems).str.contains(words)), report.problems
    assert "problem" in report.lines()[0]
    assert "no problem" not in report.lines()[0]


def test_an_exchange_of_two_samples_shows_in_order_but_not_in_multiset(folder):
    """Other draws over the same samples are told apart from other samples."""
    edit(folder / "manifest.json", lambda value: value["config"]["seeds"].update(order=3))
    problems = "\n".join(verify_run(folder).problems)
    assert "order" in problems
    assert "multiset" not in problems
    assert "augment" not in problems


def test_left_overs_are_listed_and_are_no_problem(folder):
    for name in ("eval-0003.parquet.part", "eval-0003.parquet", "._eval-0001.commit.json"):
        (folder / "epochs" / name).write_bytes(b"half")
    (folder / "notes.txt").write_text("mine")
    (folder / ".tmpAb3x").write_text("half")
    report = verify_run(folder)
    assert report.problems == []
    assert report.left_over == [
        ".tmpAb3x (half written)",
        "epochs/._eval-0001.commit.json (foreign)",
        "epochs/eval-0003.parquet (not committed)",
        "epochs/eval-0003.parquet.part (half written)",
        "notes.txt (foreign)",
    ]


def test_a_loop_of_ones_own_is_checked_as_far_as_it_goes(tmp_path):
    with open_run(tmp_path / "mine", manifest(recipe={"lr": 1}), samples()) as log:
        arrays = arrays_of(0, log.samples["label"].to_numpy())
        log.write_epoch(0, arrays, {}, {})
    report = verify_run(tmp_path / "mine")
    assert report.problems == []
    assert report.passed["files by hash"] == 1
    assert any("no recipe and seeds of ours" in line for line in report.not_checked)


@pytest.mark.parametrize("view", ["eval", "train"])
def test_a_store_is_checked_like_its_runs(folder, tmp_path, view):
    report = verify_traces(compact([folder], tmp_path / "zoo.zarr.zip", view))
    assert report.problems == []
    epochs = 3 if view == "eval" else 2
    assert report.passed["order hash"] == report.passed["multiset hash"] == epochs
    assert report.passed["augment hash"] == 2
    assert report.passed["train accuracy"] == (3 if view == "eval" else 0)


def test_a_store_whose_hashes_are_of_other_seeds_is_named(folder, tmp_path):
    edit(folder / "manifest.json", lambda value: value["config"]["seeds"].update(order=3))
    edit(folder / commit("eval-0001"), raise_accuracy)
    problems = verify_traces(compact([folder], tmp_path / "zoo.zarr.zip")).problems
    assert any("seed 0 epoch 1: order hash is" in line for line in problems)
    assert any("seed 0 epoch 1: train accuracy is" in line for line in problems)
    assert len(problems) == 4


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(LetheError, match=r"is .* the folder of a run"):
        verify_run(tmp_path)


def test_it_needs_no_torch():
    code = "import sys; sys.modules['torch'] = None; import lethe.capture.verify"
    subprocess.run([sys.executable, "-c", code], check=True)
