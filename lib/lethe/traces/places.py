"""Where a store lies: a file, or an object at a URL (s3://, gs://, https://) read by fsspec.

Only the bytes asked for are read. Cost: one request a read at a URL.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from lethe.errors import LetheError, nearest

BLOCK = 2**20  # bytes of a request for the directory of a zip
UPLOAD = 2**24  # bytes of a request when an upload is read back
URL = re.compile(r"[a-z][a-z0-9+.-]+://")
NO_BUCKET = "bucket does not exist"  # what S3 and Google say
EXTRA = "pip install 'lethe[s3]'"


def is_url(place: str | Path) -> bool:
    """Whether a place is a URL, such as s3://bucket/NAME.zarr.zip."""
    return isinstance(place, str) and URL.match(place) is not None


def name_of(place: str | Path) -> str:
    """The last part of a path or URL."""
    return PurePosixPath(place).name if is_url(place) else Path(place).name


def filesystem(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in it; LetheError naming what to install."""
    try:
        import fsspec

        return fsspec.core.url_to_fs(url)
    except ImportError as error:
        how = EXTRA if url.startswith("s3://") else "pip install fsspec and what it names"
        raise LetheError(f"cannot open {url} ({error}): {how}") from None
    except ValueError as error:
        raise LetheError(f"cannot open {url}: {error}; expected a path or s3://...") from None


@contextmanager
def explained(url: str) -> Iterator[None]:
    """Turn what a file system raises into one line that says what to do."""
    try:
        yield
    except (LetheError, zipfile.BadZipFile):
        raise
    except Exception as error:  # each file system has its own
        raise LetheError(f"{url}: {remedy(url, error)}") from None


def remedy(url: str, error: Exception) -> str:
    """What went wrong at a URL, and what to do."""
    said, kind = (str(error) or type(error).__name__).splitlines()[0], type(error).__name__
    if kind == "NoCredentialsError":
        return (
            "no credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "AWS_PROFILE"
        )
    if isinstance(error, PermissionError):
        return f"access is denied ({said}); ask for the right to it, or check the credentials"
    if NO_BUCKET in said.lower():
        return f"there is no such bucket ({said}); check its name"
    if isinstance(error, FileNotFoundError):
        return neighbours(url)
    return f"cannot be reached ({kind}: {said}); check the network and AWS_ENDPOINT_URL"


def neighbours(url: str) -> str:
    """`there is no such object`, and the nearest name beside it."""
    found = [path.rsplit("/", 1)[-1] for path in listed(url.rpartition("/")[0])]
    return f"there is no such object; {nearest(name_of(url), found)}"


def listed(url: str) -> list[str]:
    """The paths in a folder at a URL, sorted; none where there is no such folder."""
    system, path = filesystem(url)
    with explained(url):
        try:
            return sorted(system.ls(path, detail=False))
        except FileNotFoundError as error:
            if NO_BUCKET in str(error).lower():
                raise
            return []


class LocalFile:
    """A file that is read in pieces, by several threads or processes at a time."""

    remote = False

    def __init__(self, path: Path) -> None:
        """Open the file; raises OSError."""
        self.place, self._file = path, open(path, "rb")  # noqa: SIM115 - closed by `close`
        self.size = os.fstat(self._file.fileno()).st_size

    def read(self, start: int, end: int) -> bytes:
        """The bytes from start to before end."""
        return os.pread(self._file.fileno(), end - start, start)

    def stream(self) -> BinaryIO:
        """The file as Python reads it."""
        return open(self.place, "rb")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class RemoteFile:
    """An object at a URL that is read in pieces, each one request."""

    remote = True

    def __init__(self, url: str) -> None:
        """Ask for the size of the object; raises LetheError when there is none."""
        self.place = url
        self._system, self._path = filesystem(url)
        with explained(url):
            self.size = int(self._system.size(self._path))

    def read(self, start: int, end: int) -> bytes:
        """The bytes from start to before end."""
        with explained(self.place):
            return self._system.cat_file(self._path, start=start, end=end)

    def stream(self) -> BinaryIO:
        """The object as Python reads it, in blocks that are kept."""
        kept = {"block_size": BLOCK, "cache_type": "blockcache"}
        with explained(self.place):
            return self._system.open(self._path, "rb", **kept)

    def close(self) -> None:
        """Nothing is held open."""


def opened(place: str | Path) -> LocalFile | RemoteFile:
    """A file or an object, to be read in pieces."""
    return RemoteFile(str(place)) if is_url(place) else LocalFile(Path(place))


def upload(path: Path, url: str) -> None:
    """Copy a file to a URL and read it back; raises LetheError unless every byte has arrived."""
    system, target = filesystem(url)
    with explained(url):
        system.makedirs(system._parent(target), exist_ok=True)
        system.put_file(str(path), target)
        system.invalidate_cache()
    here, there = opened(path), opened(url)
    starts = range(0, max(here.size, there.size), UPLOAD)
    same = all(here.read(at, at + UPLOAD) == there.read(at, at + UPLOAD) for at in starts)
    here.close()
    if not same:
        raise LetheError(f"{url} is not what was sent; send it again, keep the logs")
