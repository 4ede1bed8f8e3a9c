"""All finding pages with one command: each as a file of its own, and an index of their verdicts.

`lethe rerun findings -p dataset=mine` runs them on the traces of any data set. Every parameter goes
to the pages that have it. Cost: five pages, two at a time; about two minutes on two cores.
"""

import json
import tempfile
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import nbformat

from lethe.errors import LetheError, nearest
from lethe.pages import own_traces, rerun
from lethe.pages.grid import split_values
from lethe.pages.parameters import check_values, read_parameters
from lethe.pages.standalone import write_html

GROUP = "findings"
HEAD = "<tr><th>page</th><th>verdict</th><th>claim</th><th>because</th></tr>"


def finding_pages() -> list[str]:
    """The names of the finding pages, in order; LetheError where there are none."""
    found = [name for name in rerun.list_pages() if name.startswith("finding_")]
    if not found:
        raise LetheError(f"no page in {rerun.ROOT / 'notebooks'} is a finding; name one page")
    return found


def share_out(given: Mapping[str, str], pages: list[str]) -> dict[str, dict[str, str]]:
    """By page, the parameters that it has, of those `given` as text; all values are checked.

    Raises LetheError for a parameter that no page has and for a value that a page refuses.
    """
    with tempfile.TemporaryDirectory() as folder:
        known = {page: read_parameters(rerun.source(page, Path(folder))) for page in pages}
    every = {name for parameters in known.values() for name in parameters}
    for name in given:
        if name not in every:
            raise LetheError(f"no finding has a parameter {name!r}; {nearest(name, every)}")
    shares = {
        page: {name: text for name, text in given.items() if name in known[page]} for page in pages
    }
    for page, share in shares.items():
        for name, text in share.items():
            if len(split_values(known[page][name], text)) > 1:
                raise LetheError(f"{GROUP} takes one value of {name}; for several name one page")
        check_values(page, known[page], share)
    return shares


def rerun_findings(given: Mapping[str, str], out: Path | None = None) -> Path:
    """Run every finding page with the parameters `given` as text and return OUT/index.html.

    `out` defaults to `_build/rerun/DATASET` of the checkout. LetheError, before anything runs, if a
    parameter or value is refused; PageFailed names a page that fails, and the others are kept.
    """
    pages = finding_pages()
    default = rerun.ROOT / "_build" / "rerun" / given.get("dataset", GROUP)
    out = default if out is None else Path(out)
    shares = share_out(_with_traces(given, pages, out), pages)
    out = rerun.make_folder(out)
    failed = rerun.rerun_all({page: (page, share, out) for page, share in shares.items()})
    command = rerun.command_line(GROUP, given)
    index = write_index(out, [page for page in pages if page not in failed], command)
    if failed:
        raise rerun.PageFailed(f"{'; '.join(failed.values())}; the other pages: {index}")
    return index


def _with_traces(given: Mapping[str, str], pages: list[str], out: Path) -> dict[str, str]:
    """What is given, with traces of one's own as parameters that every finding has."""
    with tempfile.TemporaryDirectory() as folder:
        known = read_parameters(rerun.source(pages[0], Path(folder)))
    return own_traces.resolve("each finding", known, given, out / own_traces.NAME)


def write_index(out: Path, pages: list[str], command: str) -> Path:
    """Write OUT/index.html, a table of the verdicts of `pages` that ran in `out`; returns it."""
    records = [json.loads((out / f"{page}.json").read_text("utf-8")) for page in pages]
    stores = {store["name"]: store for record in records for store in record["stores"]}
    lines = [f"<li>{escape(name)}: {store['seeds']} seeds</li>" for name, store in stores.items()]
    rows = "".join(_rows(record, _title(out / f"{record['name']}.ipynb")) for record in records)
    text = (
        f"# The findings, on {' and '.join(_data_sets(records))}\n\n"
        f"<table><thead>{HEAD}</thead><tbody>{rows}</tbody></table>\n\n"
        "The rule behind each verdict stands on its page and was named before any number was seen. "
        f"Fewer than 6 seeds: no verdict.\n\nTrace stores:\n\n<ul>{''.join(lines)}</ul>\n"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])
    nbformat.write(notebook, out / "index.ipynb")
    return write_html(out / "index.ipynb", out / "index.html", command)


def _data_sets(records: list[dict[str, Any]]) -> list[str]:
    """The data sets of some records, those of the main analysis first."""
    given = [record["parameters"] for record in records]
    names = [p[key] for key in ("dataset", "beside") for p in given if p.get(key)]
    return list(dict.fromkeys(names))


def _rows(record: Mapping[str, Any], title: str) -> str:
    """The verdicts of a page as rows of the table; the first names the page."""
    link = f'<a href="{escape(record["name"])}.html">{escape(title)}</a>'
    cells = [[v["word"], v["claim"], v["reason"]] for v in record["verdicts"]] or [["none", "", ""]]
    rows = []
    for number, (word, *rest) in enumerate(cells):
        told = "".join(f"<td>{escape(text)}</td>" for text in rest)
        page = link if number == 0 else ""
        rows.append(f"<tr><td>{page}</td><td><strong>{escape(word)}</strong></td>{told}</tr>")
    return "".join(rows)


def _title(notebook: Path) -> str:
    """The title of an executed page."""
    cells = nbformat.read(notebook, as_version=4).cells
    lines = [line for cell in cells for line in cell.source.splitlines() if line.startswith("# ")]
    return lines[0].removeprefix("# ") if lines else notebook.stem
