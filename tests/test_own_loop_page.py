"""The examples of the page "Use it in your own loop", run as they stand there."""

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import fake_trainers
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from lethe import traces
from lethe.cli import app
from lethe.errors import LetheError
from lethe.pages import describe

PAGE = (Path(__file__).parents[1] / "book" / "own_loop.md").read_text("utf-8")
IMAGES = 23  # odd, so that two processes must repeat one


def blocks(heading: str) -> list[str]:
    """The Python blocks under a heading of the page."""
    section = re.split(r"^##+ ", PAGE, flags=re.M)
    (text,) = [part for part in section if part.startswith(heading)]
    found = re.findall(r"^```python\n(.*?)^```", text, flags=re.M | re.S)
    assert found, heading
    return found


class Network(nn.Module):
    """What the page calls `network`: takes pixel_values and labels, returns loss and logits."""

    def __init__(self):
        super().__init__()
        self.body = classifier()

    def forward(self, pixel_values, labels=None):
        logits = self.body(pixel_values)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def classifier() -> nn.Module:
    layers = nn.Dropout(0.2), nn.Flatten(), nn.Linear(3 * 32 * 32, 3)
    return nn.Sequential(*layers)


@pytest.fixture
def yours(tmp_path, monkeypatch):
    """A folder of images to work in, and the names that the page takes for granted."""
    monkeypatch.setattr("lethe.traces.files.os.fsync", lambda descriptor: None)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for i in range(IMAGES):
        file = tmp_path / "pets" / "cdo"[i % 3] / f"{i:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(file)
    torch.manual_seed(0)
    model = classifier()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    names = {"model": model, "optimizer": optimizer, "epochs": 3, "network": Network()}
    return names | {"transform": to_tensor}


def to_tensor(image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image, np.float32) / 255).permute(2, 0, 1)


def run(heading: str, names: dict, parts: slice = slice(None)) -> dict:
    for block in blocks(heading)[parts]:
        exec(compile(block, f"own_loop.md, {heading}", "exec"), names)
    return names


def whole(folder: str, view: str = "train", epochs: tuple = (1, 2, 3), n: int = IMAGES):
    """The traces of a finished run without a missing cell."""
    assert traces.is_finished(folder)
    ds = traces.read_run(folder, view)
    assert ds["epoch"].values.tolist() == list(epochs)
    assert ds.sizes["sample"] == n
    assert (ds["prediction"].values >= 0).all()
    return ds


def test_pytorch(yours):
    run("PyTorch", yours)
    ds = whole("runs/pets-mynet-seed0")
    assert set(ds["sample"].values) == {
        f"{'cdo'[i % 3]}/{i:02d}.png" for i in range(IMAGES)
    }  # names, not positions


def test_going_on_and_the_clean_view(yours):
    run("PyTorch", yours)
    first = yours["TraceRecorder"]("runs/pets-mynet-seed1", **yours["table"], **second(yours))
    for _ in range(4):
        record_one(first)
    first.close(finished=False)
    run("Going on", yours)
    assert yours["recorder"].epoch == 3
    state = torch.get_rng_state()
    run("The clean view", yours)
    assert torch.equal(torch.get_rng_state(), state), "the clean pass drew a random number"
    ds = whole("runs/pets-mynet-clean-seed0", "eval", (0,))
    assert ds["test_accuracy"].item() == 0.5


def second(yours: dict) -> dict:
    return {**yours["names"], "seed": 1}


def record_one(recorder) -> None:
    recorder.record([0], np.zeros((1, 3)), recorder.labels[:1])
    recorder.end_epoch()


@pytest.fixture(params=["stand-ins", "real"])
def trainers(request, monkeypatch):
    """Run a test on the stand-ins and, where installed, on Lightning and transformers."""
    if request.param == "stand-ins":
        fake_trainers.install(monkeypatch)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    return request.param


def test_lightning(yours, trainers):
    if trainers == "real":
        pytest.importorskip("lightning")
    run("PyTorch", yours, slice(1))
    yours["model"] = classifier()
    run("Lightning", yours)
    whole("runs/pets-lightning-seed0")


def test_lightning_gives_the_folder_back_after_an_error(yours, trainers):
    if trainers == "real":
        pytest.importorskip("lightning")
    run("PyTorch", yours, slice(1))
    yours["model"] = nn.Sequential(classifier(), nn.Hardtanh(np.nan, np.nan))
    with pytest.raises(LetheError, match="diverged"):
        run("Lightning", yours)
    assert not traces.is_finished("runs/pets-lightning-seed0")
    yours["model"] = classifier()
    run("Lightning", yours)
    whole("runs/pets-lightning-seed0")


def test_hugging_face(yours, trainers):
    if trainers == "real":
        pytest.importorskip("transformers")
    run("PyTorch", yours, slice(1))
    run("Hugging Face Trainer", yours)
    whole("runs/pets-hf-seed0")


def test_hugging_face_without_the_setting_drops_the_position(yours, trainers):
    """What the page warns of does happen."""
    if trainers == "real":
        pytest.importorskip("transformers")
    run("PyTorch", yours, slice(1))
    (block,) = blocks("Hugging Face Trainer")
    assert "remove_unused_columns=False" in block
    with pytest.raises(KeyError, match="position"):
        exec(block.replace("remove_unused_columns=False", "remove_unused_columns=True"), yours)


def start_rank(rank: int, port: int) -> subprocess.Popen:
    """One of the two processes of train.py, told what torchrun would tell it."""
    names = {"RANK": str(rank), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    names |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "train.py"]
    return subprocess.Popen(command, env=os.environ | names, stderr=subprocess.PIPE, text=True)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.slow
def test_several_processes(yours):
    """A real run of two processes; the sampler repeats one of the 23 images in every epoch."""
    Path("train.py").write_text(blocks("Several processes")[0], "utf-8")
    port = free_port()
    for process in [start_rank(rank, port) for rank in (0, 1)]:
        _, errors = process.communicate(timeout=200)
        assert process.returncode == 0, errors
    ds = whole("runs/pets-ddp-seed0")
    assert ds["repeats"].values.tolist() == [1, 1, 1]
    halves = [traces.read_run(f"runs/pets-ddp-seed0/rank-{rank}", "train") for rank in (0, 1)]
    seen = [half["prediction"].values >= 0 for half in halves]
    assert seen[0].sum(1).tolist() == seen[1].sum(1).tolist() == [12, 12, 12]
    assert (seen[0] != seen[0][:1]).any(), "the sampler gave a rank the same images every epoch"
    for name in ("prediction", "loss", "margin", "error_l2"):
        first, other = (half[name].values for half in halves)
        np.testing.assert_array_equal(ds[name].values, np.where(seen[0], first, other))


def test_numpy(yours):
    run("NumPy, JAX", yours, slice(1))
    ds = whole("runs/points-softmax-seed0", epochs=tuple(range(1, 11)), n=60)
    accuracy = traces.correct(ds).mean("sample").values
    assert accuracy[-1] > accuracy[0], "the example does not learn"


def test_jax(yours):
    pytest.importorskip("jax")
    run("NumPy, JAX", yours)
    whole("runs/points-jax-seed0", n=60)


def test_from_runs_to_a_store(yours):
    run("PyTorch", yours)
    run("From runs", yours)
    assert Path("pets-mynet-own.zarr.zip").is_file()
    assert dict(yours["ds"].sizes) == {"seed": 1, "epoch": 3, "sample": IMAGES}


def commands() -> list[list[str]]:
    """The shell commands of the page, in words."""
    return [shlex.split(line) for line in PAGE.splitlines() if line.startswith("lethe ")]


def test_runs_are_packed_by_the_command_of_the_page(yours, monkeypatch):
    run("PyTorch", yours)
    (pack,) = [words for words in commands() if words[:3] == ["lethe", "traces", "compact"]]
    words = [path for word in pack[1:] for path in (sorted(map(str, Path().glob(word))) or [word])]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    ds = traces.open_traces("data/traces/pets-mynet-own.zarr.zip")
    assert (ds.attrs["view"], ds.sizes["sample"]) == ("train", IMAGES)


def test_the_rerun_command_names_a_page_and_its_parameters():
    (words,) = [words for words in commands() if words[:2] == ["lethe", "rerun"]]
    known = describe.describe(words[2])
    given = [word.split("=")[0] for word in words if "=" in word]
    assert given == ["dataset", "models", "preset", "beside"]
    for name in given:
        assert re.search(rf"^{name} ", known, flags=re.M), f"{words[2]} has no parameter {name}"


def test_every_block_of_the_page_is_run_here():
    headings = ["PyTorch", "Going on", "The clean view", "Lightning", "Hugging Face Trainer"]
    run_here = [block for name in headings for block in blocks(name)]
    run_here += blocks("Several processes") + blocks("NumPy, JAX") + blocks("From runs")
    assert sorted(run_here) == sorted(re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S))
