"""The steps of the GPU captures, each in a process of its own, until done or out of time.

`exact` checks that runs repeat bit for bit; a unit a model pretrains it on both tasks, captures
both data sets with all seeds in one process and packs them; `bench` measures. A step that is killed
loses at most the epochs since its last checkpoint. Called by gpu_captures.sh, which sets DATA, OUT,
WORK and CARRY.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import IO

import gpu_results
import pieces

DATA, OUT, WORK = (Path(os.environ[name]) for name in ("DATA", "OUT", "WORK"))
HERE = Path(__file__).resolve().parent
RESERVE = 25.0  # seconds kept for packing
ARCHIVES = ("data", "tiny-imagenet-200", "cifar10")


def steps(rehearse: bool) -> list[str]:
    """The names of the steps in order: the models of the book, or the small ones."""
    models = gpu_results.SMALL if rehearse else gpu_results.BOOK
    return ["exact", *(f"unit {model}" for model in models), "bench"]


def marker(step: str) -> Path:
    """The file that says that a step is done."""
    return WORK / "done" / step.replace(" ", "-")


def prepare() -> None:
    """Take back carried state; unpack the data sets into WORK/data."""
    if os.environ.get("CARRY") and not (WORK / "done").is_dir():
        print(f"carried: {pieces.unpack(Path(os.environ['CARRY']), WORK)} files")
    (WORK / "done").mkdir(parents=True, exist_ok=True)
    data = WORK / "data"
    if data.is_dir():
        return
    part = WORK / "data.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    for archive in [f for f in DATA.glob("*.tar.gz") if f.name.startswith(ARCHIVES)]:
        with tarfile.open(archive) as tar:
            tar.extractall(part, filter="data")
    for folder in [f for f in DATA.iterdir() if f.is_dir() and f.name in ARCHIVES]:
        (part / folder.name).symlink_to(folder)
    lacking = [name for name in ARCHIVES[1:] if not (part / name / "train").is_dir()]
    if lacking:
        sys.exit(f"{DATA} holds no {' and no '.join(lacking)}: see scripts/pack_data.py")
    part.rename(data)


def check_environment() -> None:
    """Write environment.json; end with one line if something is missing."""
    command = [sys.executable, str(HERE / "gpu_step.py"), "environment"]
    found = subprocess.run(command, env=environment(), capture_output=True, text=True)
    if found.returncode:
        lines = found.stderr.strip().splitlines()
        sys.exit(f"this machine is not ready: {lines[-1] if lines else 'no Python'}")
    print(found.stdout, end="")


def environment() -> dict[str, str]:
    """The variables of every step: data sets are read from WORK/data."""
    return {**os.environ, "LETHE_DATASETS": str(WORK / "data")}


def run_to_the_end(command: list[str], log: IO[str], seconds: float) -> int | None:
    """The exit code of a command; None if it was ended, with all its children, at the deadline."""
    process = subprocess.Popen(
        command, env=environment(), cwd=WORK, stdout=log, stderr=log, start_new_session=True
    )
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run_step(step: str, until: float, rehearse: bool) -> bool:
    """Run one step to its end or to the deadline; whether it is done."""
    left = until - time.monotonic()
    command = [sys.executable, str(HERE / "gpu_step.py"), *step.split(), "--seconds", f"{left:.0f}"]
    command += ["--rehearse"] * rehearse
    begun = time.monotonic()
    with open(WORK / "log.txt", "a") as log:
        code = run_to_the_end(command, log, left)
        took = time.monotonic() - begun
        said = {None: "out of time", 0: "done", 3: "out of time"}.get(code, f"failed with {code}")
        print(f"{step}: {said} after {took:.0f} s", file=log)
    print(f"{step}: {said} after {took:.0f} s")
    if code == 0:
        marker(step).touch()
    elif code not in (None, 3):
        print("\n".join((WORK / "log.txt").read_text().splitlines()[-12:]))
    return code == 0


def main() -> None:
    """Go through the steps that are left, then write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=540, help="end before this")
    parser.add_argument("--rehearse", action="store_true", help="tiny settings, on a CPU")
    parser.add_argument("--weights", action="store_true", help="write the weights, run nothing")
    choices = parser.parse_args()
    until = time.monotonic() + choices.seconds - RESERVE
    prepare()
    if choices.weights:
        gpu_results.write_weights(WORK, OUT)
        return
    check_environment()
    left = [step for step in steps(choices.rehearse) if not marker(step).exists()]
    for step in list(left):
        if until - time.monotonic() < (1 if choices.rehearse else 20):
            break
        if run_step(step, until, choices.rehearse):
            left.remove(step)
    gpu_results.write(WORK, OUT, left)
    print("all done" if not left else f"left to do: {', '.join(left)}; call again")


if __name__ == "__main__":
    main()
