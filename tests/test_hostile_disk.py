"""Full and read-only disks, jumping clocks, half-copied folders: one clear line or an exact resume.

Slow: about a minute on one core. The disks are small memory file systems, which only root can
mount; where that is not possible those tests are skipped.
"""

import errno
import os
import shutil
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from reliability_runs import SMALL
from tiny_captures import capture, contents, plan

from lethe.capture import finetune, training
from lethe.capture.verify import verify_run
from lethe.errors import LetheError
from lethe.traces import files, read_run

pytestmark = pytest.mark.slow
NAME = plan(**SMALL).name


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """An uninterrupted run."""
    return capture(tmp_path_factory.mktemp("whole"), **SMALL)


@pytest.fixture(scope="module")
def half(tmp_path_factory) -> Path:
    """The same run, interrupted in epoch 2."""
    out, train_epoch = tmp_path_factory.mktemp("half"), training.train_epoch

    def stop_in_epoch_2(*args):
        if 2 in args:
            raise KeyboardInterrupt
        return train_epoch(*args)

    training.train_epoch = stop_in_epoch_2
    try:
        with pytest.raises(KeyboardInterrupt):
            capture(out, **SMALL)
    finally:
        training.train_epoch = train_epoch
    return out / NAME


@pytest.fixture
def disk(tmp_path):
    """A memory file system and a command that mounts it again with other options."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"only root can mount a small disk ({error})")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def remount(folder, options):
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def refusal(out, words) -> str:
    """The one line with which the capture is refused."""
    with pytest.raises(LetheError, match=words) as caught:
        capture(out, **SMALL)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("size", ["16k", "1m", "6m"])
def test_a_full_disk_is_named_and_the_run_goes_on_when_there_is_room(size, disk, whole):
    remount(disk, f"size={size}")
    refusal(disk, "cannot (write|create) .*No space left on device")
    left = [path.name for path in disk.rglob("*") if path.name.endswith((".part", ".tmp"))]
    assert left == []
    before = contents(disk / NAME)
    remount(disk, "size=64m")
    after = contents(capture(disk, **SMALL))
    assert after == contents(whole)
    assert {name for name in before if before[name] != after.get(name)} <= {
        name for name in before if name.startswith("checkpoint")
    }


def test_every_single_write_may_be_refused(tmp_path, whole, monkeypatch, capsys):
    """The disk is full at the k-th flush, for every k: an error of one line, then an exact end."""
    real, counted = os.fsync, []
    monkeypatch.setattr(files.os, "fsync", lambda number: (counted.append(1), real(number))[1])
    capture(tmp_path / "count", **SMALL)
    for number in range(1, len(counted) + 1):
        left = iter([False] * (number - 1) + [True])

        def refuse(descriptor, left=left):
            if next(left, False):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            real(descriptor)

        monkeypatch.setattr(files.os, "fsync", refuse)
        refusal(tmp_path / str(number), "cannot write .*No space left on device")
        monkeypatch.setattr(files.os, "fsync", real)
        assert contents(capture(tmp_path / str(number), **SMALL)) == contents(whole)
    with capsys.disabled():
        print(f"\n{len(counted)} refused writes: {len(counted)} clear errors and exact ends")
    assert len(counted) > 20


def test_a_read_only_folder_is_named_and_can_be_read(disk, half, whole):
    shutil.copytree(half, disk / NAME)
    remount(disk, "ro")
    try:
        refusal(disk, "cannot write .*lock.*Read-only file system")
        assert list(read_run(disk / NAME).epoch.values) == [0, 1]
        assert verify_run(disk / NAME).problems == []
        refusal(disk / "new", "cannot create the folder .*Read-only file system")
    finally:
        remount(disk, "rw")
    assert contents(capture(disk, **SMALL)) == contents(whole)
    remount(disk, "ro")
    assert contents(capture(disk, **SMALL)) == contents(whole), "a finished run needs no writing"
    remount(disk, "rw")


@pytest.mark.parametrize("clock", ["backwards", "leaps"])
def test_the_clock_may_jump(clock, tmp_path, half, whole, monkeypatch):
    now = iter(range(10**9, 0, -3600) if clock == "backwards" else range(0, 10**12, 10**8))
    clocks = dict.fromkeys(("perf_counter", "monotonic", "time"), lambda: next(now))
    jumping = SimpleNamespace(**clocks)
    monkeypatch.setattr(finetune, "time", jumping)
    shutil.copytree(half, tmp_path / NAME)
    for number, path in enumerate((tmp_path / NAME).rglob("*")):
        moment = time.time() + 10**8 * (-1) ** number  # three years ahead, or three years old
        os.utime(path, (moment, moment))
    assert contents(capture(tmp_path, **SMALL)) == contents(whole)


def cut(path: Path) -> None:
    """Keep the first half of a file, as an interrupted copy does."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


CHECKPOINT = "checkpoint-0001.safetensors"
HALF_COPIES = {
    "checkpoint cut": (lambda run: cut(run / CHECKPOINT), "checkpoint-0001.*cannot be read"),
    "checkpoint empty": (lambda run: (run / CHECKPOINT).write_bytes(b""), "cannot be read"),
    "checkpoint older": (
        lambda run: shutil.copy(run.parent / "older", run / CHECKPOINT),
        "is not the state of committed epoch 1 .hashes",
    ),
    "epoch cut": (lambda run: cut(run / "epochs/eval-0001.parquet"), "eval-0001.*has changed"),
    "epoch gone": (lambda run: (run / "epochs/eval-0000.parquet").unlink(), "eval-0000.*missing"),
    "record cut": (lambda run: cut(run / "epochs/eval-0001.commit.json"), "cannot be read"),
    "record empty": (
        lambda run: (run / "epochs/eval-0001.commit.json").write_text("{}\n"),
        "eval-0001.commit.json is no commit record",
    ),
    "first record gone": (
        lambda run: (run / "epochs/eval-0000.commit.json").unlink(),
        "eval-0000.commit.json is missing, though epoch 1 is committed",
    ),
    "manifest cut": (lambda run: cut(run / "manifest.json"), "manifest.json cannot be read"),
    "manifest gone": (
        lambda run: (run / "manifest.json").unlink(),
        "manifest.json is missing, though epochs are committed",
    ),
    "samples cut": (lambda run: cut(run / "samples.parquet"), "samples.parquet cannot be read"),
    "samples gone": (lambda run: (run / "samples.parquet").unlink(), "samples.parquet does not"),
}


@pytest.mark.parametrize("damage", HALF_COPIES)
def test_a_half_copied_run_is_refused_and_nothing_in_it_changes(
    damage, tmp_path, half, whole, older
):
    harm, words = HALF_COPIES[damage]
    shutil.copy(older, tmp_path / "older")
    shutil.copytree(half, tmp_path / NAME)
    harm(tmp_path / NAME)
    before = contents_as_bytes(tmp_path / NAME)
    refusal(tmp_path, words)
    assert contents_as_bytes(tmp_path / NAME) == before
    shutil.copytree(half, tmp_path / NAME, dirs_exist_ok=True)
    assert contents(capture(tmp_path, **SMALL)) == contents(whole), "copied again, it goes on"


def contents_as_bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def older(half, tmp_path_factory) -> Path:
    """A whole checkpoint, but of another state."""
    file = tmp_path_factory.mktemp("older") / "checkpoint"
    data = bytearray((half / CHECKPOINT).read_bytes())
    data[-1000] ^= 1
    file.write_bytes(data)
    return file


FINISHED = {
    "end cut": (lambda run: cut(run / "done.json"), "done.json cannot be read"),
    "end empty": (lambda run: (run / "done.json").write_text("{}"), "is not whole"),
    "epochs gone": (lambda run: shutil.rmtree(run / "epochs"), "counts 3 epochs, 0 are committed"),
    "last gone": (
        lambda run: (run / "epochs/eval-0002.commit.json").unlink(),
        "counts 3 epochs, 2 are committed",
    ),
}


@pytest.mark.parametrize("damage", FINISHED)
def test_a_half_copied_finished_run_is_refused(damage, tmp_path, whole):
    harm, words = FINISHED[damage]
    shutil.copytree(whole, tmp_path / NAME)
    harm(tmp_path / NAME)
    refusal(tmp_path, words)


REPEATED = {
    "checkpoint gone": lambda run: (run / CHECKPOINT).unlink(),
    "last record gone": lambda run: (run / "epochs/eval-0001.commit.json").unlink(),
}


@pytest.mark.parametrize("damage", REPEATED)
def test_without_a_checkpoint_the_epochs_are_repeated_exactly(damage, tmp_path, half, whole):
    shutil.copytree(half, tmp_path / NAME)
    REPEATED[damage](tmp_path / NAME)
    assert contents(capture(tmp_path, **SMALL)) == contents(whole)


def test_a_finished_run_without_its_end_is_repeated_exactly(tmp_path, whole):
    shutil.copytree(whole, tmp_path / NAME)
    (tmp_path / NAME / "done.json").unlink()
    assert contents(capture(tmp_path, **SMALL)) == contents(whole)


def test_left_overs_and_foreign_files_do_not_disturb_a_resume(tmp_path, half, whole):
    shutil.copytree(half, tmp_path / NAME)
    (tmp_path / NAME / "lock").unlink()
    overwritten = ["epochs/eval-0002.parquet", "epochs/eval-0002.parquet.part", "done.json.part"]
    overwritten += ["checkpoint-0002.safetensors", "weights.safetensors"]
    foreign = ["notes.txt", "epochs/eval-0001 (copy).commit.json", "epochs/._eval-0000.commit.json"]
    foreign += ["epochs/eval-1.commit.json", "epochs/eval-0009.parquet", ".tmpAb3xYz"]
    for name in overwritten + foreign:
        (tmp_path / NAME / name).write_bytes(b"half an epo")
    folder = capture(tmp_path, **SMALL)
    for name in foreign:
        assert (folder / name).read_bytes() == b"half an epo"
        (folder / name).unlink()
    assert contents(folder) == contents(whole)
