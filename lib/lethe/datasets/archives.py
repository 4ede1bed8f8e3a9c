"""Unpack a tar or zip archive into a folder that appears in one step, or not at all.

Definition: refused are absolute names, `..`, backslashes, drive letters, links, devices, a file
twice, encrypted members, and more bytes or members than any data set here has. Everything goes to
a temporary folder beside the target, which is renamed when it is whole, so a kill leaves the old
state. Cost: one pass over the archive; the unpacked size on the disk.
"""

import gzip
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from lethe.errors import LetheError

MOST_BYTES = 20 * 2**30
MOST_MEMBERS = 500_000
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
)
Member = tuple[str, int, IO[bytes]]  # name, declared bytes, contents


def unpack(archives: Sequence[Path], folder: Path, holds: str, inside: str = "") -> None:
    """Make `folder` hold the contents of the archives, or of their folder `inside`.

    A file that is no archive is copied as it is. `folder` must not exist or be empty. Raises
    LetheError for a refused or damaged archive, one without the path `holds`, and a full disk.
    """
    part = folder.with_name(folder.name + ".part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for archive in archives:
            _into(archive, part)
        whole = part / inside
        if not (whole / holds).exists():
            raise LetheError(f"{archives[0]} has no {Path(inside) / holds}; is it another archive?")
        if folder.is_dir():
            folder.rmdir()
        os.replace(whole, folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise LetheError(f"cannot unpack to {folder}: {reason}; free or change it") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _into(archive: Path, folder: Path) -> None:
    with _members(archive) as members:
        if members is None:
            shutil.copyfile(archive, folder / archive.name)
            return
        seen: set[PurePosixPath] = set()
        total = 0
        for name, size, contents in members:
            path = _safe(name, archive)
            total += size
            if path in seen:
                raise LetheError(f"{archive} holds {name!r} twice; not unpacked")
            seen.add(path)
            if total > MOST_BYTES or len(seen) > MOST_MEMBERS:
                raise LetheError(f"{archive} unpacks to more than a data set holds; not unpacked")
            _write(folder / path, size, contents, archive)


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[Member] | None]:
    """The files of an archive one by one; None for a file that is no archive."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                yield _zip_members(file, archive)
        elif archive.suffix in {".gz", ".tgz", ".tar"}:
            with tarfile.open(archive) as file:
                yield _tar_members(file, archive)
        elif archive.suffix == ".zip":
            raise zipfile.BadZipFile("no zip file")
        else:
            yield None
    except _DAMAGED as error:
        reason = (str(error).splitlines() or ["cut short"])[0]
        raise LetheError(f"{archive} is damaged ({reason}); delete it and fetch it again") from None


def _tar_members(file: tarfile.TarFile, archive: Path) -> Iterator[Member]:
    for member in file:
        if member.isdir():
            _safe(member.name, archive)
        elif not member.isreg():
            raise LetheError(f"{archive}: {member.name!r} is a link or device; not unpacked")
        else:
            contents = file.extractfile(member)
            assert contents is not None
            yield member.name, member.size, contents
    while file.fileobj is not None and file.fileobj.read(2**20):
        pass  # gzip compares its checksum only at the very end, behind the last member


def _zip_members(file: zipfile.ZipFile, archive: Path) -> Iterator[Member]:
    for member in file.infolist():
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise LetheError(f"{archive}: {member.filename!r} is a link or device; not unpacked")
        if member.flag_bits & 1:
            raise LetheError(f"{archive}: {member.filename!r} is encrypted; not unpacked")
        # zipfile cuts a name at a zero byte and turns backslashes: judge what the archive says
        if member.is_dir():
            _safe(member.orig_filename, archive)
            continue
        with file.open(member) as contents:
            yield member.orig_filename, member.file_size, contents


def _safe(name: str, archive: Path) -> PurePosixPath:
    """The member's path below the folder; LetheError if it could lie anywhere else."""
    path = PurePosixPath(name)
    odd = "\\" in name or ":" in name or any(ord(letter) < 32 for letter in name)
    if path.is_absolute() or ".." in path.parts or odd or not name.strip():
        raise LetheError(f"{archive}: member {name!r} points outside the folder; not unpacked")
    return path


def _write(path: Path, size: int, contents: IO[bytes], archive: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "xb")  # noqa: SIM115 - closed below
    except (FileExistsError, NotADirectoryError):
        raise LetheError(f"{archive}: two members clash at {path.name!r}; not unpacked") from None
    with file:
        shutil.copyfileobj(contents, file, 2**20)
        if file.tell() != size:
            raise LetheError(f"{archive} is cut short; delete it and fetch it again")
