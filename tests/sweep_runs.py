"""Small real sweeps for the tests: a file of runs, the command, whom to kill, what is compared."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tiny_captures import contents

from lethe.capture import capture_run
from lethe.capture.sweep import leases, places, read_sweep

TABLE = """
[[runs]]
dataset = "glyphs"
model = "test_resnet"
weights = "none"
limit = {limit}
test_every = 100
seeds = "{seeds}"
settings = {{epochs = {epochs}, warmup_epochs = 1, batch_size = 16}}
"""
COMMAND = [sys.executable, "-c", "from lethe.cli import main; main()", "sweep"]


def write_sweep(folder: Path, seeds: str, epochs: int = 6, limit: int = 64) -> Path:
    """A sweep file of small runs."""
    file = folder / "sweep.toml"
    file.write_text(TABLE.format(seeds=seeds, epochs=epochs, limit=limit))
    return file


def serial(file: Path, out: Path) -> dict[str, dict[str, bytes]]:
    """The files of every run, captured one after another in this process."""
    runs = read_sweep(file).runs
    return {run.name: contents(capture_run(run, out, device="cpu")) for run in runs}


def begin(file: Path, out: Path, *options: str) -> subprocess.Popen:
    """The command, as a process whose group can be left alone or killed."""
    command = [*COMMAND, str(file), "--out", str(out), "--device", "cpu", *options]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def captured(out: Path, names) -> dict[str, dict[str, bytes]]:
    """The files of every run as they lie there."""
    return {name: contents(out / name) for name in names}


def await_running(out: Path, seconds: float = 120) -> tuple[str, int]:
    """A run that is in the middle of its epochs, and the process that does it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for place in sorted((out / places.FOLDER / "leases").glob("*")):
            folder = out / place.name
            if list(folder.glob("epochs/*.commit.json")) and not (folder / "done.json").exists():
                sign = leases.look(place)
                if sign and leases.alive(place):  # not that of a worker that was killed before
                    return folder.name, leases.read(place, sign)["pid"]
        time.sleep(0.002)
    raise AssertionError(f"no run was begun in {out} in {seconds} s")


def killer(out: Path) -> tuple[list[str], Callable[[], None]]:
    """A `tick` for `run_sweep` that kills the first worker in the middle of a run, and the list of
    what it killed.
    """
    killed: list[str] = []

    def tick() -> None:
        if not killed:
            name, pid = await_running(out)
            kill(pid)
            killed.append(name)

    return killed, tick


def kill(pid: int) -> bool:
    """kill -9; whether it still lived."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def said(out: Path, name: str, words: str) -> int:
    """How often a run's log says something."""
    return places.log_file(out, name).read_text().count(words)
