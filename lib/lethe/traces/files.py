"""Files that are there in full or not at all, and one writer per folder.

A file is written under a temporary name, flushed to the disk, renamed, and its folder flushed, so
that a kill or a power cut leaves the old file or the new one. Cost: two fsync calls a file.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from lethe.errors import LetheError

TEMPORARY = ".part"


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` by `data` in one step; raises LetheError when the disk or folder refuses."""
    with replacement(path) as file:
        file.write(data)


@contextmanager
def replacement(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` once all is written, and vanishes after an error.

    Raises LetheError when the disk or folder refuses.
    """
    part = path.with_name(path.name + TEMPORARY)
    try:
        with open(part, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        flush_folder(path.parent)
    except OSError as error:
        discard(part)
        raise LetheError(
            f"cannot write {path}: {error.strerror or error}; free or change the folder, "
            "then repeat the command: what is committed is kept"
        ) from error
    except Exception:
        discard(part)
        raise


def flush_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def discard(path: Path) -> None:
    """Remove a half-written file if it can be removed; a left-over one is never read."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically with sorted keys, so that equal values give equal bytes."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
    write_atomically(path, (text + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file; raises LetheError when it is missing, truncated or not an object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LetheError(f"{path} does not exist; is {path.parent} the folder of a run?") from None
    except (OSError, ValueError) as error:
        raise LetheError(
            f"{path} cannot be read ({error}); restore it or capture the run again"
        ) from None
    if not isinstance(value, dict):
        raise LetheError(f"{path} holds no JSON object; restore it or capture the run again")
    return value


def make_folder(folder: Path) -> None:
    """Create a folder and its parents; raises LetheError when that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LetheError(
            f"cannot create the folder {folder}: {error.strerror or error}; choose another"
        ) from error


def lock(path: Path) -> IO[bytes]:
    """Take the lock of a run; raises LetheError when another process holds it.

    The kernel gives the lock back when the holder dies, so a kill leaves nothing to clean up.
    """
    import fcntl  # here: Python in a browser has none, and only reads

    try:
        file = open(path, "ab")  # noqa: SIM115 - open as long as the lock is held
    except OSError as error:
        raise LetheError(f"cannot write {path}: {error.strerror}; choose another folder") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise LetheError(
            f"{path.parent} is being written by another process; wait for it or choose another"
        ) from None
    return file


def unlock(file: IO[bytes]) -> None:
    """Give a lock back. It is undone first: a forked process may hold a copy of the open file."""
    import fcntl

    if not file.closed:
        fcntl.flock(file, fcntl.LOCK_UN)
    file.close()
