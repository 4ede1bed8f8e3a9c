"""What a page says of itself: title, claim, minutes to read, time to run. Cost: milliseconds."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import jupytext

TIMES = re.compile(r"\*\*Time\*\*:\s+(.+?) to read, (.+?) to rerun")
MARKS = (
    (r"\{cite:\w+\}`[^`]*`", ""),  # references
    (r"\[([^\]]*)\]\([^)]*\)", r"\1"),  # links
    (r"\*\*(?:The c|C)laim(?: under test)?[.:]?\*\*\s*", ""),
    (r"\*+", ""),
    (r"\s+", " "),
)
UNKNOWN = "not stated"


@dataclass(frozen=True)
class About:
    """A page in words; `seconds` of its last build, None before the first."""

    title: str
    claim: str
    reading: str
    running: str
    seconds: float | None = None


def about(source: Path, results: Path) -> About:
    """What the page `source` (py:percent) says of itself; `results` is the last build's folder."""
    cells = [cell for cell in jupytext.read(source).cells if cell.cell_type == "markdown"]
    text = "\n\n".join(cell.source for cell in cells)
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    after = text[title.end() :] if title else text
    claim = next(filter(None, map(str.strip, after.split("\n\n"))), "")
    found = TIMES.search(text)
    reading, running = map(plain, found.groups() if found else (UNKNOWN, UNKNOWN))
    name = source.stem
    told = plain(title[1]) if title else name
    return About(told, plain(claim), reading, running, last_seconds(name, results))


def plain(text: str) -> str:
    """Markdown as text in one line."""
    for pattern, replacement in MARKS:
        text = re.sub(pattern, replacement, text)
    return text.strip()


def last_seconds(name: str, results: Path) -> float | None:
    """The seconds that the page took in the last build, if there was one."""
    path = results / f"{name}.json"
    try:
        return float(json.loads(path.read_text("utf-8"))["seconds"])
    except (OSError, ValueError, KeyError):
        return None
