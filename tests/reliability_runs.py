"""What the reliability tests run in processes of their own, and how those are killed.

Children come from a fork server that has imported torch and read the glyphs once, so that a capture
costs no start-up. It never trains itself: its children start as clean as a new interpreter.
"""

import builtins
import multiprocessing
import os
import signal
import sys
from pathlib import Path

from tiny_captures import capture, load_whole_split

from lethe.traces import files

VIEWS = ("eval", "train")
SMALL = {"limit": 62, "epochs": 2, "warmup_epochs": 1, "views": VIEWS}  # one step an epoch
LONG = {"limit": 124, "epochs": 4, "batch_size": 8, "views": VIEWS}  # 15 steps an epoch
START = "import reliability_runs as r; r.capture(r.sys.argv[1], **r.LONG)"

for split in ("train", "test"):
    load_whole_split("glyphs", split, 32, "")


def server():
    """The fork server, with everything imported."""
    # it looks for what to import on PYTHONPATH alone, and passes over what it does not find
    folders = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    if folders[0] not in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(folders)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["reliability_runs"])
    return context


def start(target, *args, **choices):
    """A child process that does this."""
    child = server().Process(target=target, args=args, kwargs=choices)
    child.start()
    return child


def finish(target, *args, **choices) -> int:
    """The exit code of a child that does this: minus the signal's number if it was killed."""
    child = start(target, *args, **choices)
    child.join()
    return child.exitcode


def capture_sparse(out: Path, **choices) -> None:
    """Capture with few checkpoints, so that a resume has committed epochs to repeat."""
    capture(out, every=0.5, **choices)


def capture_killed(out: Path, operation: str, number: int, choices: dict) -> None:
    """Capture, and be killed at the given file operation, counted from 1 (0 = count them all)."""
    count = 0

    def reached(name: str) -> bool:
        nonlocal count
        count += name == operation
        return name == operation and count == number

    for name in ("fsync", "replace", "unlink"):
        setattr(os, name, dying(name, getattr(os, name), reached))
    files.open = lambda *args: DyingFile(builtins.open(*args), reached)  # noqa: SIM115
    capture(out, **choices)
    if not number:
        sys.exit(count)


def dying(name, original, reached):
    """An operation of `os` that kills its process instead, when it is reached."""

    def operation(*args, **others):
        if reached(name):
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **others)

    return operation


class DyingFile:
    """An open file whose write gets only half of the data to the disk when it is reached."""

    def __init__(self, file, reached):
        self.file, self.reached = file, reached

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, data):
        if self.reached("write"):
            self.file.write(data[: len(data) // 2])
            self.file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.file.write(data)
