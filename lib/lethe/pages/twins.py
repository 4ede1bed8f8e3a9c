"""Write each notebook's .ipynb twin from its .py source, with the printed results of the last book.

    python -m lethe.pages.twins

Only cells tagged `nbval-check-output` keep their output, for nbval to compare with; cell ids count
from 0, so that equal sources give equal twins. Cost: about 1 s.
"""

import sys
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from lethe.errors import LetheError
from lethe.pages.build import ROOT, page_names

CHECKED = "nbval-check-output"


def is_checked(cell: NotebookNode) -> bool:
    """Whether a cell's printed results belong to the repository."""
    return CHECKED in cell.metadata.get("tags", [])


def make_twin(source: Path, executed: Path) -> NotebookNode:
    """The notebook of a source, with the printed results of its execution.

    Raises LetheError when results are wanted and the execution is missing or of another source.
    """
    twin = jupytext.read(source)
    for number, cell in enumerate(twin.cells):
        cell.id = f"cell-{number:03d}"
    if any(map(is_checked, twin.cells)):
        _take_results(twin, source, executed)
    return twin


def _take_results(twin: NotebookNode, source: Path, executed: Path) -> None:
    if not executed.is_file():
        raise LetheError(f"{source.name} has not been executed yet: run `make book` first")
    done = nbformat.read(executed, as_version=4).cells
    done = [cell for cell in done if "injected-parameters" not in cell.metadata.get("tags", [])]
    if [cell.source for cell in done] != [cell.source for cell in twin.cells]:
        raise LetheError(f"{source.name} has changed since it was executed: run `make book` first")
    for cell, ran in zip(twin.cells, done, strict=True):
        if is_checked(cell):
            cell.outputs = [output for output in ran.outputs if output.get("name") == "stdout"]
            cell.execution_count = 1  # nbval compares only what says that it was run


def main() -> int:
    """Write all twins; those whose execution is missing or old are named, and left as they are."""
    code = 0
    for name in page_names():
        source = ROOT / "notebooks" / f"{name}.py"
        executed = ROOT / "_build" / "source" / "notebooks" / f"{name}.ipynb"
        try:
            twin = make_twin(source, executed)
        except LetheError as error:
            print(f"error: {error}", file=sys.stderr)
            code = 1
            continue
        nbformat.write(twin, source.with_suffix(".ipynb"))
    return code


if __name__ == "__main__":
    sys.exit(main())
