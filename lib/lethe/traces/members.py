"""The members of a store's zip as Zarr reads them, each checked against its CRC-32 when it is read.

A member is one read of the file, or one request at a URL, so that what is not used is not fetched.
"""

from __future__ import annotations

import asyncio
import hashlib
import zipfile
import zlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.core.buffer import Buffer, BufferPrototype

from lethe.errors import LetheError
from lethe.traces import places

HEADER = 30  # bytes before a member's name; the lengths of name and extra field are its last four


@dataclass(frozen=True)
class Entry:
    """Where a member begins, where the next one does, and what its bytes must be."""

    start: int
    end: int
    info: zipfile.ZipInfo


class Members(Store):
    """A read-only Zarr store over the zip at a path or URL."""

    supports_writes = supports_deletes = False
    supports_listing = True

    def __init__(self, place: str | Path) -> None:
        """Read the zip's directory; raises OSError or zipfile.BadZipFile where there is none."""
        super().__init__(read_only=True)
        self.place, self.file = place, places.opened(place)
        with self.file.stream() as stream, zipfile.ZipFile(stream) as archive:
            infos, end = archive.infolist(), archive.start_dir
        infos.sort(key=lambda info: info.header_offset)
        ends = [info.header_offset for info in infos[1:]] + [end]
        self.entries = {
            info.filename: Entry(info.header_offset, end, info) for info, end in zip(infos, ends)
        }

    def directory_sha256(self) -> str:
        """The SHA-256 of the members' names, sizes and CRC-32s: it depends on every byte."""
        rows = (f"{i.filename} {i.file_size} {i.CRC:08x}\n" for i in self._infos())
        return hashlib.sha256("".join(rows).encode()).hexdigest()

    def _infos(self) -> list[zipfile.ZipInfo]:
        return [self.entries[name].info for name in sorted(self.entries)]

    def read(self, name: str) -> bytes:
        """The bytes of a member; raises LetheError unless they fit their CRC-32."""
        entry = self.entries[name]
        raw = self.file.read(entry.start, entry.end)
        skip = HEADER + sum(int.from_bytes(raw[at : at + 2], "little") for at in (26, 28))
        data = raw[skip : skip + entry.info.compress_size]
        try:
            if entry.info.compress_type == zipfile.ZIP_DEFLATED:  # a store that was zipped again
                data = zlib.decompress(data, -zlib.MAX_WBITS)
        except zlib.error:
            data = b""
        if len(data) != entry.info.file_size or zlib.crc32(data) != entry.info.CRC:
            raise LetheError(f"{self.place} is damaged in {name}; copy or compact it again")
        return data

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The bytes of a member, or a part of them; None where there is no such member."""
        if key not in self.entries:
            return None
        data = await asyncio.to_thread(self.read, key) if self.file.remote else self.read(key)
        return prototype.buffer.from_bytes(_part(data, byte_range))

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Several parts, one after another."""
        return [await self.get(key, prototype, wanted) for key, wanted in key_ranges]

    async def exists(self, key: str) -> bool:
        """Whether there is such a member."""
        return key in self.entries

    async def set(self, key: str, value: Buffer) -> None:
        """A store is never changed."""
        self._check_writable()

    async def delete(self, key: str) -> None:
        """A store is never changed."""
        self._check_writable()

    async def list(self) -> AsyncIterator[str]:
        """The names of all members."""
        for name in self.entries:
            yield name

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """The names that begin with `prefix`."""
        for name in self.entries:
            if name.startswith(prefix):
                yield name

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """The first parts of the names in a folder."""
        folder = f"{prefix.rstrip('/')}/" if prefix else ""
        inside = (name[len(folder) :] for name in self.entries if name.startswith(folder))
        for part in dict.fromkeys(name.split("/")[0] for name in inside):
            yield part

    def close(self) -> None:
        """Close the file."""
        self.file.close()
        super().close()

    def __reduce__(self) -> tuple:
        return Members, (self.place,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Members) and self.place == other.place

    def __repr__(self) -> str:
        return f"Members({str(self.place)!r})"


def _part(data: bytes, wanted: ByteRequest | None) -> bytes:
    if isinstance(wanted, RangeByteRequest):
        return data[wanted.start : wanted.end]
    if isinstance(wanted, OffsetByteRequest):
        return data[wanted.offset :]
    if isinstance(wanted, SuffixByteRequest):
        return data[-wanted.suffix :] if wanted.suffix else b""
    return data
