"""What a worker does with one run: take its lease, capture it, write what it says to its log.

A run that fails by its own error comes back as an `Outcome`, so an exception from a worker always
means that the worker was lost. One run at a time in a process: capturing sets torch's global state.
Cost: a dozen file operations a run, and the lease's beats.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from lethe.capture.sweep import leases, places
from lethe.errors import LetheError
from lethe.traces import files, is_finished

if TYPE_CHECKING:
    from lethe.capture.plan import Run

DONE, FAILED, HELD = "done", "failed", "held"
ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Task:
    """A run and how it is to be carried out; `silent` is a lease that may be taken over."""

    run: Run
    out: Path
    device: str
    threads: int
    lease: float  # seconds
    sender: str  # the process that sent it, see `here`
    silent: leases.Sign | None = None


@dataclass(frozen=True)
class Outcome:
    """How a run ended: done, failed, or held by somebody else."""

    name: str
    state: str
    error: str = ""


def here() -> str:
    """This process, by machine and id."""
    return f"{leases.machine()} {os.getpid()}"


class CarryOut:
    """Carries out a task; an object, so that submitit can send it again after a preemption."""

    def __call__(self, task: Task) -> Outcome:
        """Capture the run unless somebody else holds it."""
        with ONE_AT_A_TIME:
            place = places.lease_place(task.out, task.run.name)
            lease = leases.take(place, task.lease, task.silent)
            if lease is None:
                return Outcome(task.run.name, HELD)
            outcome = None
            try:
                outcome = done_meanwhile(task) or captured(task)
            finally:
                lease.give_back(finished=outcome is not None and outcome.state == DONE)
            return outcome

    def checkpoint(self, task: Task) -> Any:
        """What submitit puts back into the queue when Slurm stops the job: the same again."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, task)


carry_out = CarryOut()


def done_meanwhile(task: Task) -> Outcome | None:
    """The outcome of a run that another finished before its lease was free."""
    try:
        return Outcome(task.run.name, DONE) if is_done(task.out, task.run.name) else None
    except LetheError:  # not whole: capturing says what is wrong
        return None


def captured(task: Task) -> Outcome:
    """Capture a run whose lease is held; its own errors go to log and record, not further."""
    name, begun = task.run.name, time.monotonic()
    failure = places.failure_file(task.out, name)
    files.discard(failure)
    log_path = places.log_file(task.out, name)
    files.make_folder(log_path.parent)
    with open(log_path, "ab", buffering=0) as log, printed_to(log, task.sender != here()):
        say(log, f"begun on {platform.node()}, process {os.getpid()}, device {device_of(task)}")
        try:
            capture(task)
        except Exception as error:
            if in_use(task.out / name):
                say(log, str(error))
                return Outcome(name, HELD)
            text = str(error) if isinstance(error, LetheError) else traceback.format_exc()
            say(log, f"failed: {text.rstrip()}")
            return failed(task.out, name, one_line(error))
        say(log, f"done after {time.monotonic() - begun:.1f} s")
    return Outcome(name, DONE)


def capture(task: Task) -> None:
    """Import torch here and capture: the process has chosen its graphics card by now."""
    from lethe.capture.finetune import capture_run

    capture_run(task.run, task.out, task.device, task.threads)


def device_of(task: Task) -> str:
    """The device in words, with the card that the process was given."""
    card = os.environ.get("CUDA_VISIBLE_DEVICES")
    return task.device + (f", CUDA_VISIBLE_DEVICES={card}" if card is not None else "")


def in_use(folder: Path) -> bool:
    """Whether another process holds the lock of a run folder, such as `lethe capture`."""
    try:
        files.lock(folder / "lock").close()
    except LetheError as error:
        return "another process" in str(error)
    return False


def failed(out: Path, name: str, error: str) -> Outcome:
    """Keep why a run failed where `--status` finds it."""
    path = places.failure_file(out, name)
    at = datetime.now().astimezone().isoformat(timespec="seconds")
    with contextlib.suppress(LetheError):  # such as a full disk, which is the failure itself
        files.make_folder(path.parent)
        files.write_json(path, {"error": error, "host": platform.node(), "at": at})
    return Outcome(name, FAILED, error)


def one_line(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, LetheError) else f"{type(error).__name__}: {text}"


def say(log: IO[bytes], text: str) -> None:
    """Write a line with the time to a log."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    log.write(f"{now} {text}\n".encode())


@contextlib.contextmanager
def printed_to(log: IO[bytes], whole_process: bool) -> Iterator[None]:
    """Let everything that a worker process prints go to a file, from C code too."""
    if not whole_process:  # a thread of the sweep itself: its screen is not the run's
        yield
        return
    flush_output()
    kept = [(descriptor, os.dup(descriptor)) for descriptor in (1, 2)]
    try:
        for descriptor, _ in kept:
            os.dup2(log.fileno(), descriptor)
        yield
    finally:
        flush_output()
        for descriptor, copy in kept:
            os.dup2(copy, descriptor)
            os.close(copy)


def flush_output() -> None:
    """Write out what Python still keeps of standard output and error."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()


def is_done(out: Path, name: str) -> bool:
    """Whether a run is finished and tidy; LetheError if a finished one is not whole."""
    return is_finished(out / name) and not any((out / name).glob("checkpoint-*.safetensors"))
