"""Mark notebooks that were handed in: run each and note what its check cells say.

Cells are those of the student; whoever marks runs strangers' code, so mark in a throw-away account
or container. Cost: the notebooks' own run time, less than a minute each.
"""

import re
from pathlib import Path

import nbformat
import pandas as pd
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from lethe.errors import LetheError
from lethe.pages.student import EXERCISE, has_tag

TOLD = re.compile(r"^Exercise (\d+): (correct|not yet|not answered yet)", re.MULTILINE)
MINUTES = 5  # for one cell


def mark(folder: Path) -> pd.DataFrame:
    """Run every notebook in `folder` and its subfolders; one row an exercise that can be checked.

    Columns: notebook, exercise, level, result (`correct`, `not yet`, `not answered yet`, `not
    reached`) and what the student was told. Raises LetheError if there is no notebook.
    """
    found = sorted(p for p in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
    if not found:
        raise LetheError(f"no notebooks in {folder}: expected the .ipynb files that were handed in")
    rows = [row for path in found for row in _rows(path, path.relative_to(folder).as_posix())]
    return pd.DataFrame(rows, columns=["notebook", "exercise", "level", "result", "told"])


def _rows(path: Path, name: str) -> list[tuple[str, int, int, str, str]]:
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:
        raise LetheError(f"{name} is not a notebook: {type(error).__name__}") from None
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    levels = {int(number): int(level) for number, level in EXERCISE.findall(text)}
    run(notebook, path.parent)
    checks = [cell for cell in notebook.cells if has_tag(cell, "check")]
    return [(name, *row) for row in map(lambda cell: _result(cell, levels), checks)]


def run(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Execute a notebook in place; a cell that fails does not stop the others."""
    client = NotebookClient(
        notebook,
        timeout=60 * MINUTES,
        kernel_name="python3",
        allow_errors=True,
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    except (CellTimeoutError, DeadKernelError):
        return  # what was not reached has no outputs


def _result(cell: nbformat.NotebookNode, levels: dict[int, int]) -> tuple[int, int, str, str]:
    """What one check cell said."""
    asked = re.search(r"check(?:_that)?\(\s*(\d+)", cell.source)
    number = int(asked[1]) if asked else 0
    said = [out.get("text") or out.get("evalue") or "" for out in cell.outputs]
    told = next((TOLD.search(text) for text in said if TOLD.search(text)), None)
    if told:
        return number, levels.get(number, 0), told[2], told.string[told.start() :].strip()
    return number, levels.get(number, 0), "not reached", " ".join(said).strip()[:200]
