"""Bring one file over HTTP into `FILE.part`, resuming after breaks.

Definition: what lies in `FILE.part` is continued with Range; If-Range names the version it came
from (a strong ETag or the time of change), so a file that changed meanwhile, and a server that
ignores Range, send everything again. A break is tried again as long as bytes keep coming. Cost:
the network's.
"""

import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from lethe.errors import LetheError
from lethe.traces.files import discard, read_json, write_json

TRIES = 5  # tries without a new byte before giving up
PAUSE = 1.0  # seconds before trying again, doubled each time
TIMEOUT = 30.0  # seconds of silence
BLOCK = 2**18
USER_AGENT = "Mozilla/5.0 (compatible; lethe)"  # some hosts refuse the one of Python
_BREAKS = (http.client.HTTPException, urllib.error.URLError, ConnectionError, TimeoutError)
_PASSING = {408, 425, 429, 500, 502, 503, 504}
Tell = Callable[[int, int | None], None]  # bytes here, bytes in all


class NotTransferred(Exception):
    """An address did not give the file; the text says why."""


def part_of(file: Path) -> Path:
    """Where the bytes of a file lie until it is complete."""
    return file.with_name(file.name + ".part")


def transfer(address: str, file: Path, size: int, sure: bool) -> None:
    """Complete `FILE.part` from `address`.

    `size` in bytes, 0 = unknown. `sure` means that a checksum will be compared afterwards; without
    one the address must stay encrypted, and only a version that the server names is continued.
    Raises NotTransferred when offline, refused, or broken off too often.
    """
    with _progress() as progress:
        task = progress.add_task(file.name, total=size or None)

        def tell(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total or size or None)

        _persist(address, file, sure, tell)
    discard(_state_file(file))


def _persist(address: str, file: Path, sure: bool, tell: Tell) -> None:
    """Try until the file is complete, or `TRIES` times in a row without a new byte."""
    failures, moved = 0, False
    while True:
        before = _length(part_of(file))
        reason = _try(address, file, sure, tell, moved)
        if not reason:
            return
        new = _length(part_of(file)) > before
        moved, failures = moved or new, 0 if new else failures + 1
        if failures == TRIES:
            raise NotTransferred(reason)
        time.sleep(PAUSE * 2**failures)


def _try(address: str, file: Path, sure: bool, tell: Tell, moved: bool) -> str:
    """One try: why it broke off, or nothing when the file is complete.

    Raises NotTransferred when another try is of no use: refused, or never connected at all.
    """
    try:
        return "" if _ask(address, file, sure, tell) else f"{_host(address)} broke off"
    except urllib.error.HTTPError as error:
        error.close()
        reason = f"{_host(address)} answered with HTTP {error.code}"
        if error.code not in _PASSING:
            raise NotTransferred(reason) from None
    except _BREAKS as error:
        cause = getattr(error, "reason", None) or str(error) or type(error).__name__
        reason = f"no connection to {_host(address)} ({cause})"
        if isinstance(error, urllib.error.URLError) and not moved:
            raise NotTransferred(reason) from None
    return reason


def read_address(address: str) -> bytes:
    """The contents of a small file; raises NotTransferred."""
    try:
        with urllib.request.urlopen(_request(address), timeout=TIMEOUT) as answer:
            return answer.read(10 * 2**20)
    except (*_BREAKS, OSError) as error:
        raise NotTransferred(f"{_host(address)}: {error}") from None


def _ask(address: str, file: Path, sure: bool, tell: Tell) -> bool:
    """One request for what `FILE.part` lacks; True when it is complete."""
    part, state = part_of(file), _state(file, address)
    have = _length(part) if state["version"] or (sure and state["total"]) else 0
    try:
        answer = urllib.request.urlopen(_rest(address, have, state), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        error.close()
        if have != state["total"]:
            discard(part)  # longer than the server's file
            return False
        return True
    with answer:
        _refuse(answer, address, sure)
        start, total = _span(answer)
        version = _version(answer)
        if start > have or (start and (state["version"], state["total"]) != (version, total)):
            discard(part)  # the rest of another file, from a server that ignores If-Range
            return False
        # which version the bytes belong to, before the first of them is written
        about = {"address": address, "version": version, "total": total}
        write_json(_state_file(file), about)
        _copy(answer, part, start, total, tell)
    return total is None or _length(part) == total


def _rest(address: str, have: int, state: dict[str, Any]) -> urllib.request.Request:
    """The request for everything from byte `have` on, of the version that is here."""
    request = _request(address)
    if have:
        request.add_header("Range", f"bytes={have}-")
        if state["version"]:
            request.add_header("If-Range", state["version"])
    return request


def _copy(answer: Any, part: Path, start: int, total: int | None, tell: Tell) -> None:
    """Write the answer at `start`; what lay behind is given up."""
    with open(part, "r+b" if part.exists() else "wb") as out:
        out.truncate(start)
        out.seek(start)
        try:
            while block := answer.read1(BLOCK):
                _write(out, block)
                tell(out.tell(), total)
        finally:
            out.flush()
            os.fsync(out.fileno())


def _write(out: Any, block: bytes) -> None:
    try:
        out.write(block)
    except OSError as error:  # a full disk is no break of the connection
        raise LetheError(f"cannot write {out.name}: {error.strerror}; free or change it") from error


def _refuse(answer: Any, address: str, sure: bool) -> None:
    """NotTransferred for what is clearly not the file."""
    if answer.headers.get_content_type() == "text/html":
        raise NotTransferred(f"{_host(address)} sent a web page instead of the file")
    if not sure and address.startswith("https:") and not answer.url.startswith("https:"):
        raise NotTransferred(f"{_host(address)} leads to an unencrypted address")


def _span(answer: Any) -> tuple[int, int | None]:
    """First byte of the answer within the file, and the file's size if the server says."""
    if answer.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if not found:
            raise NotTransferred("the server sent a part without saying which")
        return int(found[1]), None if found[2] == "*" else int(found[2])
    length = answer.headers.get("Content-Length")
    return 0, int(length) if length and length.isdigit() else None


def _version(answer: Any) -> str:
    """What If-Range may name: a strong ETag, or the time of change, or nothing."""
    tag = answer.headers.get("ETag", "")
    return tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")


def _state(file: Path, address: str) -> dict[str, Any]:
    try:
        state = read_json(_state_file(file))
    except LetheError:
        state = {}
    if state.get("address") != address:
        state = {}
    return {"version": state.get("version", ""), "total": state.get("total")}


def _state_file(file: Path) -> Path:
    return file.with_name(file.name + ".part.json")


def _request(address: str) -> urllib.request.Request:
    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    return urllib.request.Request(address, headers=headers)


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _host(address: str) -> str:
    return urlsplit(address).netloc


def _progress() -> Progress:
    screen = Console(stderr=True)
    columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress("{task.description}", *columns, console=screen, disable=not screen.is_terminal)
