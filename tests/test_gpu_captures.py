"""The GPU script rehearsed on a CPU: interrupted, carried in pieces to a bare machine, finished."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lethe.datasets.cifar import CLASSES, OCTDL_COUNTS, TEST_IMAGES, load_cifar7
from lethe.traces import open_traces, verify_store

REPOSITORY = Path(__file__).resolve().parents[1]
SCRIPTS = REPOSITORY / "scripts"
sys.path.insert(0, str(SCRIPTS))
import pack_data  # noqa: E402
import pieces  # noqa: E402

LIMIT = 16 * 2**20


def picture(file, draw, side=32):
    """A small noisy image, so that no two are equal."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(file)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Both data sets in their layouts, as small as the loaders allow."""
    root, draw = tmp_path_factory.mktemp("sources"), np.random.default_rng(0)
    counts = [*OCTDL_COUNTS, 2, 2, 2]
    for split, sizes in (("train", counts), ("test", [TEST_IMAGES] * 7 + [2] * 3)):
        for label, size in zip(CLASSES, sizes):
            for n in range(size + 3):
                picture(root / "cifar10" / split / label / f"{n:04d}.png", draw)
    tiny, lines = root / "tiny-imagenet-200", []
    for label in ("n01", "n02", "n03"):
        for n in range(60):
            picture(tiny / "train" / label / "images" / f"{label}_{n}.JPEG", draw, 64)
        for n in range(20):
            picture(tiny / "val" / "images" / f"val_{label}_{n}.JPEG", draw, 64)
            lines.append(f"val_{label}_{n}.JPEG\t{label}\t0\t0\t62\t62")
    (tiny / "val" / "val_annotations.txt").write_text("\n".join(lines))
    return root


def pack(sources, out, *options):
    """Run scripts/pack_data.py; what it says."""
    command = [sys.executable, str(SCRIPTS / "pack_data.py")]
    command += [str(sources / "tiny-imagenet-200"), str(sources / "cifar10"), str(out), *options]
    environment = {**os.environ, "LETHE_DATASETS": str(out.parent / "cache")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)


@pytest.mark.slow
def test_a_pack_stays_below_its_size_and_keeps_cifar7(sources, tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_DATASETS", str(tmp_path / "cache"))
    for size in (14.0, 15.0):
        out = tmp_path / f"{size}.tar.gz"
        pack(sources, out, "--mib", str(size))
        assert out.stat().st_size <= size * 2**20
    pack_data.folder_of(out, "packed", tmp_path)
    found = tmp_path / "packed"
    assert len(list((found / "tiny-imagenet-200" / "train").rglob("*.webp"))) > 60
    whole, packed = (load_cifar7(root / "cifar10", "train", 32) for root in (sources, found))
    assert packed.fingerprint == whole.fingerprint


def test_pieces_come_back_whole_or_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", 50_000)
    root, out, back = tmp_path / "root", tmp_path / "out", tmp_path / "back"
    for folder in (root / "a", out, back):
        folder.mkdir(parents=True)
    contents = {"a/one": os.urandom(70_000), "two": b"", "three": os.urandom(1_000)}
    for name, data in contents.items():
        (root / name).write_bytes(data)
    (root / "huge").write_bytes(bytes(300_000))
    files = [root / name for name in ("a/one", "huge", "two", "three")]
    assert pieces.pack(root, files, out, most=4) == [root / "huge"]
    assert all(piece.stat().st_size <= 50_000 for piece in out.iterdir())
    assert pieces.unpack(out, back) == 3
    assert {name: (back / name).read_bytes() for name in contents} == contents
    (out / "state.tar.01").unlink()
    with pytest.raises(SystemExit, match="not whole"):
        pieces.unpack(out, back)
    assert pieces.unpack(tmp_path, back) == 0


def rehearse(data, out, work, seconds, carry=None):
    """One call of the script; what it said."""
    given = {"DATA": data, "OUT": out, "WORK": work, "PYTHON": sys.executable, "CARRY": carry}
    environment = {**os.environ, **{k: str(v) for k, v in given.items() if v}}
    command = [str(SCRIPTS / "gpu_captures.sh"), "--rehearse", "--seconds", str(seconds)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_rehearsal_is_carried_over_and_finishes(sources, tmp_path):
    data, out, carry = tmp_path / "data", tmp_path / "out", tmp_path / "carry"
    data.mkdir()
    pack(sources, data / "data.tar.gz", "--mib", "15")
    said = rehearse(data, out, tmp_path / "first", 150)
    if "all done" not in said:  # a slow machine: go on as on a bare one
        out.rename(carry)
        said = rehearse(data, out, tmp_path / "second", 900, carry)
    assert "all done" in said
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) <= 8
    assert all(path.stat().st_size <= LIMIT for path in files)
    stores = sorted(out.glob("*.zarr.zip"))
    assert len(stores) == 4
    for store in stores:
        verify_store(store)
        assert open_traces(store).sizes == {"seed": 2, "epoch": 2, "sample": 62}
    checks = (out / "table.md").read_text()
    assert checks.count(": True") == 4
    assert ": False" not in checks
    assert json.loads((out / "environment.json").read_text())["device"] == "cpu"


@pytest.mark.slow
def test_an_interrupted_rehearsal_leaves_pieces_that_another_machine_takes(sources, tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    pack(sources, data / "data.tar.gz", "--mib", "15")
    said = rehearse(data, out, tmp_path / "first", 60)
    assert "call again" in said
    assert (out / "state.tar.00").stat().st_size <= LIMIT
    assert len(list(out.iterdir())) <= 8
    done = {path.name for path in (tmp_path / "first" / "done").iterdir()}
    out.rename(tmp_path / "carry")
    rehearse(data, out, tmp_path / "second", 30, tmp_path / "carry")
    assert done <= {path.name for path in (tmp_path / "second" / "done").iterdir()}


def test_missing_data_is_named(tmp_path):
    (tmp_path / "data").mkdir()
    given = {"DATA": tmp_path / "data", "OUT": tmp_path / "out", "WORK": tmp_path / "work"}
    environment = {**os.environ, "PYTHON": sys.executable, **{k: str(v) for k, v in given.items()}}
    command = [str(SCRIPTS / "gpu_captures.sh"), "--rehearse"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "no tiny-imagenet-200 and no cifar10" in done.stderr.splitlines()[-1]
