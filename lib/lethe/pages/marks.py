"""Mark notebooks that were handed in: run each with the book's own check cells, note what they say.

The check cells are put back as the page has them, with a fresh `exercises` module, so neither an
accident nor a small trick changes a mark; whoever wants to cheat with code still can. Cells are
those of strangers: mark in a throw-away account or container. Cost: the notebooks' own run time,
less than a minute each on a quiet computer; a cell is given 5 minutes.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pandas as pd
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from lethe.errors import LetheError
from lethe.pages.student import EXERCISE, ROOT, for_students, has_tag, pages

TOLD = re.compile(r"^Exercise (\d+): (correct|not yet|not answered yet)", re.MULTILINE)
CALL = re.compile(r"exercises\.check(?:_that)?\(\s*(\d+)")
WRITTEN = re.compile(r"\*Your answer:\*(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE)
FRESH = "import importlib, lethe.pages.exercises as exercises; importlib.reload(exercises)\n"
COLUMNS = ["notebook", "exercise", "level", "result", "told"]
MINUTES = 5  # for one cell


def mark(folder: Path, root: Path = ROOT) -> pd.DataFrame:
    """Mark every notebook in `folder`, see `mark_one`; one row an exercise.

    Raises LetheError if there is no notebook.
    """
    rows = [row for path in handed_in(folder) for row in mark_one(path, folder, root)]
    return pd.DataFrame(rows, columns=COLUMNS)


def handed_in(folder: Path) -> list[Path]:
    """The notebooks in a folder and its subfolders; LetheError if there is none."""
    found = sorted(p for p in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
    if not found:
        raise LetheError(f"no notebooks in {folder}: expected the .ipynb files that were handed in")
    return found


def mark_one(path: Path, folder: Path, root: Path = ROOT) -> list[tuple[str, int, int, str, str]]:
    """Run one notebook: for each exercise of its page the result and what the student was told.

    Results: `correct`, `not yet`, `not answered yet`, `not reached` (with the error that came
    before), `in words` (with the words), `not handed in`; for a file that cannot be read
    `not a notebook`, for one that is no page of the book `no such page`.
    """
    name = path.relative_to(folder).as_posix()
    page = pages(root=root).get(path.stem)
    if page is None:
        return [(name, 0, 0, "no such page", f"{path.stem} is no page with exercises")]
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:
        return [(name, 0, 0, "not a notebook", type(error).__name__)]
    put_back(notebook, for_students(page))
    run(notebook, path.parent)
    return [(name, *row) for row in _rows(notebook, for_students(page))]


def number_of(cell: NotebookNode) -> int:
    """The exercise that a check cell is about; 0 for any other cell."""
    found = CALL.search(cell.source) if cell.cell_type == "code" else None
    return int(found[1]) if found else 0


def put_back(notebook: NotebookNode, page: NotebookNode) -> None:
    """Replace the check cells of a notebook by those of its page."""
    checks = {number_of(cell): cell.source for cell in page.cells if has_tag(cell, "check")}
    for cell in notebook.cells:
        number = number_of(cell)
        if number in checks:
            cell.source = FRESH + checks[number]


def run(notebook: NotebookNode, folder: Path) -> None:
    """Execute a notebook in place; a cell that fails does not stop the others."""
    client = NotebookClient(
        notebook,
        timeout=60 * MINUTES,
        kernel_name="python3",
        allow_errors=True,
        extra_arguments=["--IPKernelApp.log_level=50"],  # no word on its address and end
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    except (CellTimeoutError, DeadKernelError):
        return  # what was not reached has no outputs


def _rows(notebook: NotebookNode, page: NotebookNode) -> Iterator[tuple[int, int, str, str]]:
    """The exercises of the page with what became of each."""
    checked = {number_of(cell) for cell in page.cells if has_tag(cell, "check")}
    for number, level in _levels(page).items():
        result, told = (
            _checked(notebook, number) if number in checked else _written(notebook, number)
        )
        yield number, level, result, told


def _levels(page: NotebookNode) -> dict[int, int]:
    text = "\n".join(cell.source for cell in page.cells if cell.cell_type == "markdown")
    return {int(number): int(level) for number, level in EXERCISE.findall(text)}


def _checked(notebook: NotebookNode, number: int) -> tuple[str, str]:
    """What the check cell of an exercise said, or why it said nothing."""
    at = next((k for k, cell in enumerate(notebook.cells) if number_of(cell) == number), None)
    if at is None:
        return "not handed in", ""
    said = "\n".join(_texts(notebook.cells[at]))
    told = TOLD.search(said)
    if told:
        return told[2], said[told.start() :].strip()
    before = [text for cell in notebook.cells[max(at - 2, 0) : at] for text in _errors(cell)]
    return "not reached", (before or _errors(notebook.cells[at]) or ["nothing was run"])[-1]


def _texts(cell: NotebookNode) -> list[str]:
    return [out.get("text") or out.get("evalue") or "" for out in cell.get("outputs", [])]


def _errors(cell: NotebookNode) -> list[str]:
    outputs = [out for out in cell.get("outputs", []) if out.output_type == "error"]
    return [f"{out.ename}: {out.evalue}"[:200] for out in outputs]


def _written(notebook: NotebookNode, number: int) -> tuple[str, str]:
    """The words that answer an exercise; they are the reader's to judge."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    parts = [part for text in texts for part in re.split(r"(?m)^(?=\*\*Exercise \d+\*\*)", text)]
    mine = next((p for p in parts if p.startswith(f"**Exercise {number}**")), None)
    if mine is None:
        return "not handed in", ""
    words = WRITTEN.search(mine)
    return "in words", words[1].strip(" >\n") if words else ""
