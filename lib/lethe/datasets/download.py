"""Download one file of a data set: complete and checked, or not there.

Definition: the bytes gather in `FILE.part`, which becomes FILE when size and checksums are right.
Size and sha256 of what came are recorded in `FILE.json`; a file for which nobody prints a checksum
is held to that record from then on. Cost: the network's, and one reading for each checksum.
"""

import hashlib
import os
from pathlib import Path

from rich.console import Console

from lethe.datasets.sources import Part
from lethe.datasets.transfer import NotTransferred, part_of, transfer
from lethe.errors import LetheError
from lethe.traces.files import discard, flush_folder, read_json, write_json


def download(part: Part, folder: Path, page: str) -> Path:
    """Return the checked file in `folder`, downloading what is missing of it.

    `page` is where a person finds it. Raises LetheError when offline, refused, broken off too
    often, when the disk is full, and when what came or lies there has another size or checksum.
    """
    file = folder / part.file
    if file.exists():
        wrong = _wrong(part, file, file)
        if wrong:
            raise LetheError(f"{file} has {wrong}; delete it, then repeat")
    else:
        _bring(part, file, page)
        wrong = _wrong(part, part_of(file), file)
        if wrong:
            discard(part_of(file))
            raise LetheError(f"{part.file} came with {wrong}; repeat, or see {page}")
        os.replace(part_of(file), file)
        flush_folder(folder)
    if not record_file(file).exists():
        _write_record(part, file)
    return file


def record_file(file: Path) -> Path:
    """Where address, size and sha256 of a downloaded file are kept."""
    return file.with_name(file.name + ".json")


def file_digest(path: Path, algorithm: str) -> str:
    """The checksum of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _bring(part: Part, file: Path, page: str) -> None:
    """Complete `FILE.part` from the first address that gives it."""
    reasons = []
    for address in part.addresses:
        try:
            return transfer(address, file, part.size, sure=bool(part.checksums))
        except NotTransferred as error:
            reasons.append(str(error))
    raise LetheError(
        f"{part.file}: {'; '.join(reasons)}. Repeat when online, or get {part.file} from {page} "
        f"({part.addresses[0]}), put it at {file} and repeat"
    )


def _wrong(part: Part, found: Path, file: Path) -> str:
    """What is wrong with the bytes at `found`, or an empty string."""
    checksums, size = part.checksums, part.size
    if not checksums and record_file(file).exists():
        known = read_json(record_file(file))
        checksums, size = (f"sha256:{known.get('sha256')}",), known.get("size", 0)
    if size and found.stat().st_size != size:
        return f"{found.stat().st_size:,} bytes instead of {size:,}"
    for checksum in checksums:
        algorithm, _, expected = checksum.partition(":")
        digest = file_digest(found, algorithm)
        if digest != expected:
            return f"{algorithm} {digest} instead of {expected}"
    return ""


def _write_record(part: Part, file: Path) -> None:
    """Write down what came; tell the user if nothing else vouches for it."""
    size, digest = file.stat().st_size, file_digest(file, "sha256")
    about = {"file": file.name, "address": part.addresses[0], "size": size, "sha256": digest}
    write_json(record_file(file), about)
    if not part.checksums:
        Console(stderr=True, soft_wrap=True).print(
            f"{file.name}: no published checksum to compare with. Recorded {size:,} bytes, sha256 "
            f"{digest} in {record_file(file)}; from now on the file is held to that.",
            highlight=False,
        )
