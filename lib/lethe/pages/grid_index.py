"""The index of a grid of pages: verdicts and main numbers, value by value, as HTML and as JSON.

The main numbers of a page are those that its verdicts rest on, at most four. Cost: 0.1 s a page.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lethe.pages import about, charts, rerun
from lethe.pages.kernel import environment
from lethe.pages.render import mimebundle
from lethe.pages.standalone import write_html

MOST_NUMBERS = 4
CAVEAT = (
    "The numbers are those that the verdicts rest on, each with its interval. The rule behind a "
    "verdict stands on its page and was named before any number was seen. Many values are many "
    "looks at one question: the verdict that counts is that of the value that was chosen "
    "beforehand.\n"
)


@dataclass(frozen=True)
class Case:
    """One page of a grid: the values it was run with, its folder, why it failed if it did."""

    values: Mapping[str, str]
    folder: str
    error: str = ""

    @property
    def label(self) -> str:
        """The values in words."""
        return ", ".join(f"{key} {value or 'empty'}" for key, value in self.values.items())


def write(out: Path, name: str, cases: Sequence[Case], command: str) -> Path:
    """Write OUT/index.html and OUT/index.json for the pages `cases` in folders of OUT."""
    records = [None if case.error else _record(out / case.folder, name) for case in cases]
    keys = main_numbers([record for record in records if record])
    content: dict[str, Any] = {"name": name, "command": command, "numbers": keys}
    content["pages"] = [_as_json(name, *pair, keys) for pair in zip(cases, records, strict=True)]
    (out / "index.json").write_text(json.dumps(content, indent=1), "utf-8")
    cells = [new_markdown_cell(_text(name, cases, records, keys))]
    with environment(LETHE_BOOK="1"):  # the index brings its own Vega, as every page does
        cells += [_chart(key, cases, records) for key in keys]  # each key is in some record
    nbformat.write(new_notebook(cells=cells), out / "index.ipynb")
    return write_html(out / "index.ipynb", out / "index.html", command)


def _record(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / f"{name}.json").read_text("utf-8"))


def main_numbers(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The recorded numbers that most of the pages' verdicts rest on, in the order of the verdicts.

    Where there are none: those with an interval, else all; at most four.
    """
    judged = [_judged(record) for record in records]
    counts = Counter(key for keys in judged for key in keys)
    often = max(counts.values(), default=0)
    found = [key for key in counts if counts[key] == often]
    if not found and records:
        results = records[0]["results"]
        found = [key for key, result in results.items() if result["low"] is not None]
        found = found or list(results)
    return found[:MOST_NUMBERS]


def _judged(record: Mapping[str, Any]) -> list[str]:
    """The numbers that stand, with their interval, in the reasons of the verdicts."""
    reasons = [verdict["reason"] for verdict in record.get("verdicts", [])]
    results = record["results"].items()
    texts = {key: result["text"] for key, result in results if result["low"] is not None}
    found = (key for reason in reasons for key, text in texts.items() if text in reason)
    return list(dict.fromkeys(found))


def _as_json(
    name: str, case: Case, record: Mapping[str, Any] | None, keys: Sequence[str]
) -> dict[str, Any]:
    """A page of the grid in the JSON index."""
    told = {"values": dict(case.values), "folder": case.folder}
    if record is None:
        return told | {"error": case.error}
    told |= {"page": f"{case.folder}/{name}.html", "record": f"{case.folder}/{name}.json"}
    numbers = {key: record["results"][key] for key in keys if key in record["results"]}
    kept = ("commit", "seconds", "made_at")
    told |= {key: record[key] for key in kept if key in record}
    return told | {"verdicts": record.get("verdicts", []), "results": numbers}


def _text(
    name: str,
    cases: Sequence[Case],
    records: Sequence[Mapping[str, Any] | None],
    keys: Sequence[str],
) -> str:
    """Title, table, claims and how to read them."""
    page = about.about(rerun.ROOT / "notebooks" / f"{name}.py", Path())
    claims = list(dict.fromkeys(v["claim"] for r in records if r for v in r["verdicts"]))
    heads = [*cases[0].values, *(["verdicts"] if claims else []), *keys]
    head = "".join(f'<th scope="col">{escape(word)}</th>' for word in heads)
    pairs = zip(cases, records, strict=True)
    rows = "".join(_row(name, case, record, claims, keys) for case, record in pairs)
    told = "\n".join(f"{number}. {escape(claim)}" for number, claim in enumerate(claims, start=1))
    return (
        f"# {page.title}\n\nThe page `{name}` with {_values(cases)}.\n\n"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>\n\n"
        + (f"The claims:\n\n{told}\n\n{CAVEAT}" if claims else "")
    )


def _values(cases: Sequence[Case]) -> str:
    """The values of each parameter, in words."""
    texts = {
        key: dict.fromkeys(case.values[key] or "empty" for case in cases) for key in cases[0].values
    }
    return "; ".join(f"`{key}` {', '.join(values)}" for key, values in texts.items())


def _row(
    name: str,
    case: Case,
    record: Mapping[str, Any] | None,
    claims: Sequence[str],
    keys: Sequence[str],
) -> str:
    """A page of the grid as a row of the table; its values lead to the page."""
    page = escape(f"{case.folder}/{name}.{'html' if record else 'ipynb'}")
    cells = [f'<a href="{page}">{escape(value or "empty")}</a>' for value in case.values.values()]
    if record is None:
        wide = len(keys) + bool(claims)
        why = f'<td colspan="{wide or 1}"><strong>failed</strong>: {escape(case.error)}</td>'
        return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}{why}</tr>"
    if claims:
        words = [f"{claims.index(v['claim']) + 1}. {escape(v['word'])}" for v in record["verdicts"]]
        cells.append("<br>".join(words) or "none")
    cells += [escape(record["results"].get(key, {}).get("text", "none")) for key in keys]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _chart(
    key: str, cases: Sequence[Case], records: Sequence[Mapping[str, Any] | None]
) -> nbformat.NotebookNode:
    """The chart of one number, value by value, as a cell that has been run."""
    rows = [
        {"label": case.label, "estimate": result["value"]} | result
        for case, record in zip(cases, records, strict=True)
        if record and (result := record["results"].get(key))
    ]
    told = "; ".join(f"{row['label']}: {row['text']}" for row in rows)
    chart = charts.interval_chart(
        rows, title=key, x_title=key, description=f"{key}, with its interval. {told}."
    )
    bundle = mimebundle(chart.to_dict())
    data = {kind: bundle[kind] for kind in ("text/html", "text/plain")}
    output = new_output("display_data", data=data)
    return new_code_cell("", outputs=[output], metadata={"tags": ["remove-input"]})
