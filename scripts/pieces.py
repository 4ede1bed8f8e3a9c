"""A folder as numbered pieces of one tar file, and back: for machines that keep nothing.

`state.tar.00`, `state.tar.01`, ... are the tar cut into pieces of equal size, with a checksum in
the last line of `state.json`; unpacking refuses a missing or changed piece and any name that leads
out of the folder. Cost: reading and writing every file once.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

PIECE = 15 * 2**20  # bytes


def pack(root: Path, files: Iterable[Path], out: Path, most: int) -> list[Path]:
    """Write the files (in this order) as pieces, leaving out what would not fit `most` pieces.

    Returns what was left out. Old pieces in `out` are removed.
    """
    discard(out)
    buffer, left_out = io.BytesIO(), []
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for file in files:
            if buffer.tell() + file.stat().st_size + 20_000 > most * PIECE:
                left_out.append(file)
            else:
                tar.add(file, str(file.relative_to(root)))
    data = buffer.getvalue()
    for start in range(0, len(data), PIECE):
        (out / f"state.tar.{start // PIECE:02d}").write_bytes(data[start : start + PIECE])
    about = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (out / "state.json").write_text(json.dumps(about))
    return left_out


def discard(out: Path) -> None:
    """Remove the pieces in a folder."""
    for piece in [*out.glob("state.tar.*"), out / "state.json"]:
        piece.unlink(missing_ok=True)


def unpack(pieces: Path, root: Path) -> int:
    """Put a packed folder back; returns the number of files, 0 where there are no pieces."""
    if not (pieces / "state.json").is_file():
        return 0
    about = json.loads((pieces / "state.json").read_text())
    data = b"".join(piece.read_bytes() for piece in sorted(pieces.glob("state.tar.*")))
    if hashlib.sha256(data).hexdigest() != about["sha256"]:
        raise SystemExit(f"the pieces in {pieces} are not whole: copy all of them again")
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        tar.extractall(root, filter="data")
        return len(tar.getmembers())
