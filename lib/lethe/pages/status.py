"""The status page: what was executed, in what time and memory, from which traces and versions.

Cost: about 10 ms a page.
"""

import json
import platform
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat

from lethe.pages import provenance

MAX_SECONDS, MAX_MEGABYTES = 60, 2000
LOCK = Path(__file__).resolve().parents[3] / "requirements.lock"
INTRO = """# Status of this build

This page is written by the build itself. Every number in the book comes from the executions below.
What changed from version to version is in the [changelog](changelog.md).
"""
BARS = f"""A page should take less than {MAX_SECONDS} s and {MAX_MEGABYTES:,} MB; more is marked.
Seconds are of the whole execution. Memory is the peak of the page's own process, without processes
that it starts. A commit with a plus had uncommitted changes.
"""


def page(source: Path, results: Path) -> str:
    """Return the status page as Markdown, from the executed notebooks and the results files."""
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in results.glob("*.json")}
    every = [found[name] for name in sorted(found)]
    sections = [INTRO, _executions(source / "notebooks", found), _verdicts(every), _stores(every)]
    return "\n".join([*sections, _versions(every), _packages()])


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines) + "\n"
    )


def _cell(words: str) -> str:
    """A cell of a Markdown table, in which a bar would end it."""
    return words.replace("|", "\\|").replace("\n", " ")


def _executions(notebooks: Path, found: dict[str, dict[str, Any]]) -> str:
    rows = []
    for path in sorted(notebooks.glob("*.ipynb")):
        run = nbformat.read(path, as_version=4).metadata["papermill"]
        result = found.get(path.stem, {})
        rows.append(
            [
                f"[{path.stem}](../notebooks/{path.stem}.ipynb)",
                _marked(run["duration"], MAX_SECONDS, ".1f"),
                _marked(result.get("peak_memory_mb"), MAX_MEGABYTES, ",.0f"),
                str(len(result.get("verdicts", []))),
                f"{datetime.fromisoformat(run['end_time']):%-d %b %H:%M}",
                _short_commit(result),
            ]
        )
    head = ["page", "seconds", "peak MB", "verdicts", "executed, UTC", "commit"]
    return "## Pages\n\n" + BARS + "\n" + _table(head, rows)


def _short_commit(result: dict[str, Any]) -> str:
    """Seven digits, and a plus where the working copy had changes."""
    return result.get("commit", "unknown")[:7] + ("+" if result.get("uncommitted_changes") else "")


def _marked(value: float | None, bar: float, fmt: str) -> str:
    """A number, marked where it reaches the bar."""
    if value is None:
        return "unknown"
    return f"{value:{fmt}}" + (f" **over {bar:,}**" if value >= bar else "")


def _verdicts(found: list[dict[str, Any]]) -> str:
    rows = [[r["name"], v["claim"], v["word"]] for r in found for v in r["verdicts"]]
    return "## Verdicts\n\n" + _table(["page", "claim", "verdict"], rows)


def _stores(found: list[dict[str, Any]]) -> str:
    stores = {store["name"]: store for result in found for store in result["stores"]}
    rows = [
        [s["name"], s["model"], s["preset"], str(s["seeds"]), s["device"], f"`{s['sha256'][:16]}`"]
        for s in stores.values()
    ]
    head = ["store", "model", "preset", "seeds", "captured on", "SHA-256, first 16 digits"]
    return "## Trace stores\n\n" + _table(head, rows)


def _versions(found: list[dict[str, Any]]) -> str:
    """Python, platform and the packages behind the numbers, each value that any page saw."""
    known = [
        {"platform": result.get("platform", "unknown")} | result["versions"] for result in found
    ]
    known = known or [{"platform": platform.platform()} | provenance.versions()]
    names = dict.fromkeys(name for versions in known for name in versions)
    rows = [[n, ", ".join(sorted({v.get(n, "unknown") for v in known}))] for n in names]
    rows.insert(0, ["commit of the build", provenance.state()])
    return "## Versions\n\n" + _table(["what", "version"], rows)


def _packages() -> str:
    """Every package of the lock file as it is installed here, folded."""
    names = locked(LOCK.read_text("utf-8")) if LOCK.is_file() else {}
    if not names:
        return ""
    rows = [[name, provenance.installed(name), pinned] for name, pinned in names.items()]
    table = _table(["package", "installed", "in requirements.lock"], rows)
    differ = sum(installed != pinned for _, installed, pinned in rows)
    told = f"{len(rows)} packages; {differ or 'none'} other than the lock file says."
    return f"```{{admonition}} All packages\n:class: dropdown\n{told}\n\n{table}```\n"


def locked(text: str) -> dict[str, str]:
    """Return the versions that a lock file pins, by package."""
    lines = re.finditer(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text, re.MULTILINE)
    return {line[1]: line[2] for line in lines}
