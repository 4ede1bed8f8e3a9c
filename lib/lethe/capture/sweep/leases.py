"""Who works on a run: a lease a run, for sweeps that share a folder and may not share a kernel.

A lease is a small file, LEASES/RUN/000001.json, that names its holder. The holder touches it every
sixth of its length: the file's time of change is the sign of life. Who finds a lease given back or
gone silent makes the file of the next number, by a hard link, which succeeds for one process only.
The newest file is never removed while its run is unfinished, so two who take over at once aim at
the same number, and one who looked long ago finds its number taken. The holder looks for a higher
number at every beat and ends its process when there is one.

Clocks of two machines are never compared: a lease has gone silent when its time of change stood
still for its whole length on the watcher's own clock. On the same machine the kernel is asked: the
holder also locks the file, and the kernel gives that lock back when it dies.

Assumed: hard links are atomic (they are on POSIX file systems and NFS); clocks tick at about the
same rate; a change on one machine is seen on the others within a lease. A process that was
suspended longer than its lease, or cut off from the folder, may go on until its next beat: then the
lock of the run folder is what is left. Cost: three file operations a look, one a beat.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from lethe.errors import LetheError
from lethe.traces import files

BEATS = 6  # a lease is renewed this often in its length
LOST = 75  # exit code of a worker that lost its lease


@dataclass(frozen=True)
class Sign:
    """The newest lease of a run as it was seen: its number and its last beat (ns, any clock)."""

    number: int
    beat: int


@cache
def machine() -> str:
    """Name of this machine, other after a restart: processes of equal names share a kernel."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{socket.gethostname()} {boot.read_text().strip() if boot.exists() else ''}".strip()


def lease_file(place: Path, number: int) -> Path:
    """The file of a run's lease; `place` is the folder of all leases of this run."""
    return place / f"{number:06d}.json"


def look(place: Path) -> Sign | None:
    """The newest lease of a run, None if there is none.

    The file is opened first: a network file system then asks its server for the time of change.
    """
    numbers = [int(path.stem) for path in place.glob("[0-9]*.json") if path.stem.isdigit()]
    if not numbers:
        return None
    try:
        with open(lease_file(place, max(numbers)), "rb") as file:
            return Sign(max(numbers), os.fstat(file.fileno()).st_mtime_ns)
    except FileNotFoundError:  # the run was finished meanwhile
        return None


def read(place: Path, sign: Sign) -> dict[str, Any]:
    """What a lease says of its holder; nothing if it is gone or not readable."""
    try:
        return files.read_json(lease_file(place, sign.number))
    except LetheError:
        return {}


def is_free(place: Path, sign: Sign | None) -> bool:
    """Whether a lease was never taken, was given back, or had a holder here that is dead."""
    if sign is None:
        return True
    held = read(place, sign)
    if held.get("released") is True:
        return True
    return held.get("machine") == machine() and held.get("locked") is True and dead(place, sign)


def dead(place: Path, sign: Sign) -> bool:
    """Whether nobody on this machine holds the kernel's lock of a lease."""
    try:
        with open(lease_file(place, sign.number), "rb") as file:
            return locked(file.fileno())
    except OSError:
        return False


def locked(descriptor: int) -> bool:
    """Whether the kernel's lock of an open file could be taken."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by another, or a file system without locks
        return False
    return True


class Watch:
    """Finds the leases that went silent, on the clock of this process alone."""

    def __init__(self) -> None:
        """Nothing is seen yet."""
        self._seen: dict[Path, tuple[Sign, float]] = {}

    def silent(self, place: Path) -> Sign | None:
        """The newest lease if it has not changed for its length since it was first looked at."""
        sign = look(place)
        if sign is None:
            return None
        before = self._seen.get(place)
        if before is None or before[0] != sign:
            self._seen[place] = sign, time.monotonic()
            return None
        return sign if time.monotonic() - before[1] > length(read(place, sign)) else None


def length(held: dict[str, Any], default: float = 90.0) -> float:
    """The length of a lease in seconds, as its holder wrote it."""
    value = held.get("seconds")
    return float(value) if isinstance(value, int | float) and 0 < value < 86400 else default


def take(place: Path, seconds: float, silent: Sign | None = None) -> Lease | None:
    """Take the lease of a run for so many seconds a beat; None if another holds it.

    `silent` is what a Watch found: this lease, and only as it was seen then, is taken over.
    """
    files.make_folder(place)
    sign = look(place)
    if sign is not None and sign != silent and not is_free(place, sign):
        return None
    return create(place, sign.number + 1 if sign else 1, seconds)


def create(place: Path, number: int, seconds: float) -> Lease | None:
    """Make the file of a lease in one step, locked already; None if it exists."""
    part, path = place / f".{uuid.uuid4().hex}", lease_file(place, number)
    try:
        file = open(part, "xb")  # noqa: SIM115 - open as long as the lease is held
        held = {**holder(seconds), "locked": locked(file.fileno())}
        file.write(json.dumps(held, indent=1).encode())
        file.flush()
        linked = link(part, path)
    except FileNotFoundError:  # the run was finished, and its leases removed
        return None
    except OSError as error:
        raise LetheError(
            f"cannot take the lease {path}: {error.strerror or error}; a sweep needs a folder "
            "where files can be written and hard links made"
        ) from error
    finally:
        files.discard(part)
    if not linked:
        file.close()
        return None
    return Lease(path, held, file)


def link(part: Path, path: Path) -> bool:
    """Whether the file got its name; NFS may say no to a link that it has made, so count them."""
    try:
        os.link(part, path)
    except FileExistsError:
        return os.stat(part).st_nlink == 2
    return True


def holder(seconds: float) -> dict[str, Any]:
    """What a lease says: who, where, since when, for how long after a beat."""
    return {
        "host": platform.node(),
        "machine": machine(),
        "pid": os.getpid(),
        "user": os.getuid(),
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        "seconds": seconds,
    }


class Lease:
    """A lease that this process holds; its beats come from a thread of their own."""

    def __init__(self, path: Path, held: dict[str, Any], file: Any) -> None:
        """`file` is the open, locked file at `path`."""
        self.path, self.held, self._file = path, held, file
        self._end, self._beaten = threading.Event(), time.monotonic()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        seconds = length(self.held)
        while not self._end.wait(seconds / BEATS):
            if self.lost():
                print(f"lease {self.path} was taken over: this worker ends", file=sys.stderr)
                sys.stderr.flush()
                os._exit(LOST)  # a write after this could cross the new holder's

    def lost(self) -> bool:
        """Renew the lease; whether another has it now, or the folder is out of reach too long."""
        successor = lease_file(self.path.parent, int(self.path.stem) + 1)
        with contextlib.suppress(OSError):
            if successor.exists():
                return True
            os.utime(self.path)
            self._beaten = time.monotonic()
        return time.monotonic() - self._beaten > length(self.held)

    def give_back(self, finished: bool) -> None:
        """End the beats; remove the leases of a finished run, else mark this one as free."""
        self._end.set()
        self._thread.join()
        if finished:
            clear(self.path.parent)
        elif self.path.exists():
            with contextlib.suppress(LetheError):  # on a full disk it goes silent instead
                files.write_json(self.path, {**self.held, "released": True})
        self._file.close()


def clear(place: Path) -> None:
    """Remove the leases of a run that is finished: whoever takes one now finds it so."""
    for path in place.glob("*"):
        files.discard(path)
    with contextlib.suppress(OSError):  # somebody has just begun a look, which ends well
        place.rmdir()


def alive(place: Path) -> bool:
    """Whether somebody seems to work on a run, for display: here by the kernel's lock, elsewhere by
    the age of the last beat, in which clocks are compared.
    """
    sign = look(place)
    if sign is None or is_free(place, sign):
        return False
    held = read(place, sign)
    if held.get("machine") == machine() and held.get("locked") is True:
        return True
    return time.time() - sign.beat / 1e9 < length(held)


def places(leases: Path) -> Iterator[str]:
    """The names of the runs that have leases."""
    return (path.name for path in leases.glob("*") if path.is_dir())
