"""The steps of the GPU captures, each in a process of its own, until done or out of time.

`exact` checks that runs repeat bit for bit; a unit, one a model and data set, pretrains the model,
captures all seeds, several at a time, and packs them; `bench` measures. Units and `exact` run side
by side: small images leave a GPU waiting for the processor. `bench` runs alone, when they are done.
A step that is killed loses at most the epochs since its last checkpoint. Called by gpu_captures.sh,
which sets DATA, OUT, WORK and CARRY.
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

import gpu_results
import pieces

DATA, OUT, WORK = (Path(os.environ[name]) for name in ("DATA", "OUT", "WORK"))
HERE = Path(__file__).resolve().parent
RESERVE = 25.0  # seconds kept for packing
ARCHIVES = ("data", "tiny-imagenet-200", "cifar10")


def steps(rehearse: bool) -> list[list[str]]:
    """Groups of steps in order; those of a group run side by side."""
    models = gpu_results.SMALL if rehearse else gpu_results.BOOK
    units = [f"unit {model} {data}" for model in reversed(models) for data in ("cifar7", "glyphs")]
    return [[*units, "exact"], ["bench"]]


def marker(step: str) -> Path:
    """The file that says that a step is done."""
    return WORK / "done" / step.replace(" ", "-")


def unmarked(group: list[str]) -> list[str]:
    """The steps of a group that are not done."""
    return [step for step in group if not marker(step).exists()]


def prepare() -> None:
    """Take back carried state; unpack the data sets into WORK/data."""
    if os.environ.get("CARRY") and not (WORK / "done").is_dir():
        print(f"carried: {pieces.unpack(Path(os.environ['CARRY']), WORK)} files")
    for folder in ("done", "logs"):
        (WORK / folder).mkdir(parents=True, exist_ok=True)
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


def start(step: str, until: float, rehearse: bool) -> subprocess.Popen[bytes]:
    """Start a step as the leader of a process group, with a log of its own."""
    left = until - time.monotonic()
    command = [sys.executable, str(HERE / "gpu_step.py"), *step.split(), "--seconds", f"{left:.0f}"]
    command += ["--rehearse"] * rehearse
    with open(log_of(step), "ab") as log:
        return subprocess.Popen(
            command, env=environment(), cwd=WORK, stdout=log, stderr=log, start_new_session=True
        )


def log_of(step: str) -> Path:
    """The file that a step writes to."""
    return WORK / "logs" / f"{step.replace(' ', '-')}.txt"


def code_at_the_end(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """The exit code of a step; None if it was ended, with all its children, at the deadline."""
    try:
        return process.wait(max(seconds, 0))
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run_group(group: list[str], until: float, rehearse: bool) -> None:
    """Run steps side by side to their ends or to the deadline; mark those that are done."""
    begun = time.monotonic()
    running = {step: start(step, until, rehearse) for step in group}
    while running:
        late = time.monotonic() >= until
        for step, process in list(running.items()):
            if process.poll() is not None or late:
                report(step, code_at_the_end(running.pop(step), 0), time.monotonic() - begun)
        time.sleep(0.2)


def report(step: str, code: int | None, took: float) -> None:
    """Say how a step ended, here and in its log; mark it if it is done."""
    said = {None: "out of time", 0: "done", 3: "out of time"}.get(code, f"failed with {code}")
    line = f"{step}: {said} after {took:.0f} s"
    print(line, flush=True)
    if code == 0:
        marker(step).touch()
    elif code not in (None, 3):
        print("\n".join(log_of(step).read_text().splitlines()[-12:]), flush=True)
    with open(log_of(step), "a") as log:
        print(line, file=log)


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
    for group in steps(choices.rehearse):
        todo = unmarked(group)
        if todo and until - time.monotonic() >= (1 if choices.rehearse else 20):
            run_group(todo, until, choices.rehearse)
    left = [step for group in steps(choices.rehearse) for step in unmarked(group)]
    gpu_results.write(WORK, OUT, left)
    print("all done" if not left else f"left to do: {', '.join(left)}; call again")


if __name__ == "__main__":
    main()
