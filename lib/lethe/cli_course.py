"""The commands `lethe course ...`: notebooks for students and instructors, and marks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import print as show

course_app = typer.Typer(no_args_is_help=True, help="Notebooks for a course, and their marks.")

Page = Annotated[list[str] | None, typer.Option(help="Only this page; may be repeated.")]
Out = Annotated[Path | None, typer.Option(help="Folder; default _build/student or instructor.")]


@course_app.command("student")
def student_command(page: Page = None, out: Out = None) -> None:
    """Write the pages without their solutions; check cells stay."""
    from lethe.pages.kit import build

    show(str(build("student", out, page or ())))


@course_app.command("instructor")
def instructor_command(page: Page = None, out: Out = None) -> None:
    """Write the pages with their solutions, and all answers on one sheet."""
    from lethe.pages.kit import build

    show(str(build("instructor", out, page or ())))


@course_app.command("mark")
def mark_command(
    folder: Annotated[Path, typer.Argument(help="Notebooks that were handed in.")],
    out: Annotated[Path, typer.Option(help="Table to write.")] = Path("marks.csv"),
) -> None:
    """Run notebooks and write which answers are right. Runs strangers' code: use a container.

    Check cells are put back as the book has them. A cell is given 5 minutes; the table is written
    anew after every notebook.
    """
    import pandas as pd

    from lethe.pages import marks

    rows = []
    for path in marks.handed_in(folder):
        new = marks.mark_one(path, folder)
        rows += new
        pd.DataFrame(rows, columns=marks.COLUMNS).to_csv(out, index=False)
        results = [result for _, _, _, result, _ in new if result != "in words"]
        words = len(new) - len(results)
        show(f"{new[0][0]}: {results.count('correct')} of {len(results)} correct, {words} in words")
    show(f"every answer: {out}")
