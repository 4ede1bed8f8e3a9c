"""What tests of leases and workers run in other processes; no torch, so that they start at once."""

import os
import time
from pathlib import Path

from lethe.capture.sweep import leases


def hold(place: Path, seconds: float, told) -> None:
    """Take a lease, say so, and hold it until killed."""
    lease = leases.take(place, seconds)
    told.put(lease is not None)
    time.sleep(60)


def race(place: Path, rounds: int, start, told) -> None:
    """Go for the lease of every round at the same moment as the others; say which were won."""
    won = []
    for number in range(rounds):
        seen = leases.look(place / str(number))
        start.wait()
        lease = leases.take(place / str(number), 60.0, seen)
        won.append(lease is not None)
        start.wait()
        if lease:
            lease.give_back(finished=False)
    told.put(won)


def chain(place: Path, goal: int, told) -> None:
    """Take the one lease again and again; note in a file, not under any lock, who is in."""
    counts = 0
    while counts < goal:
        lease = leases.take(place / "lease", 60.0)
        if lease is None:
            continue
        inside = place / "inside"
        descriptor = os.open(inside, os.O_CREAT | os.O_EXCL | os.O_WRONLY)  # fails if two are in
        os.close(descriptor)
        counts += 1
        inside.unlink()
        lease.give_back(finished=False)
    told.put(counts)


def hold_and_be_robbed(place: Path, seconds: float, told) -> None:
    """Hold a lease with quick beats; say so, then do nothing until it is noticed as lost."""
    leases.take(place, seconds)
    told.put(True)
    time.sleep(60)
    os._exit(0)


def card() -> str | None:
    """The graphics card that this worker sees."""
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def pid_or_die(die: bool) -> int:
    """The worker's id, unless it is to be lost."""
    if die:
        os._exit(9)
    return os.getpid()
