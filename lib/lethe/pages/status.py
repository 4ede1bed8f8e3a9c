"""The status page: what was executed, how long, from which traces and versions."""

import json
from pathlib import Path
from typing import Any

import nbformat

INTRO = """# Status of this build

This page is written by the build itself. Every number in the book comes from the executions below.
"""


def page(source: Path, results: Path) -> str:
    """Return the status page as Markdown, from the executed notebooks and the results files."""
    found = [json.loads(path.read_text("utf-8")) for path in sorted(results.glob("*.json"))]
    sections = [INTRO, _executions(source / "notebooks"), _verdicts(found), _stores(found)]
    return "\n".join([*sections, _versions(found)])


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _executions(notebooks: Path) -> str:
    rows = []
    for path in sorted(notebooks.glob("*.ipynb")):
        papermill = nbformat.read(path, as_version=4).metadata["papermill"]
        link = f"[{path.stem}](../notebooks/{path.stem}.ipynb)"
        rows.append([link, f"{papermill['duration']:.1f}", papermill["end_time"][:19] + " UTC"])
    return "## Pages\n\n" + _table(["page", "seconds", "executed"], rows)


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
    if not found:
        return ""
    versions = {"commit": found[0]["commit"]} | found[0]["versions"]
    return "## Versions\n\n" + _table(["what", "version"], [[k, v] for k, v in versions.items()])
