"""The notebooks of a course: one set for students, one for those who teach.

Students get every page with dots in place of the solutions; check cells stay and say "not answered
yet" until something is written. The instructor's set keeps the solutions and adds `answers.md`, all
exercises with their answers on one sheet. Cost: about 2 s; nothing is executed.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from lethe.errors import LetheError, nearest
from lethe.pages.student import ROOT, exercises, for_instructors, for_students, pages

SETS = ("student", "instructor")
WELCOME = {
    "student": """Open this folder with JupyterLab (`jupyter lab` in the environment of Lethe, or
`make lab DIR=...` in a checkout) and run each notebook from top to bottom. Put your answers in
place of the dots. The cell below each answer, whose code is folded, says whether it is right and,
if not, what is wrong with it. A wrong answer stops *Run all*; correct it, or go on below. Level 1
is read off the page, level 2 takes a few lines of code, level 3 is open. No network and no graphics
card is needed. Definitions and terms are in the book.""",
    "instructor": """The same notebooks with their solutions, and `answers.md`, all exercises on one
sheet. The book's page "Teach with this" has plans, goals and common misconceptions.
`lethe course mark FOLDER` runs notebooks that were handed in and tells which answers are right.""",
}


def build(
    kind: str, out: Path | None = None, chosen: Sequence[str] = (), root: Path = ROOT
) -> Path:
    """Write one set of notebooks (`student` or `instructor`) and return its folder.

    The default folder is `_build/KIND`. Notebooks that are there are replaced; other files stay.
    Raises LetheError for an unknown set or page.
    """
    if kind not in SETS:
        raise LetheError(f"unknown set {kind!r}: {nearest(kind, SETS)}")
    found = pages(chosen, root)
    out = root / "_build" / kind if out is None else out
    out.mkdir(parents=True, exist_ok=True)
    make = for_students if kind == "student" else for_instructors
    for name, notebook in found.items():
        nbformat.write(make(notebook, found), out / f"{name}.ipynb")
    (out / "README.md").write_text(_readme(kind, found), encoding="utf-8")
    if kind == "instructor":
        (out / "answers.md").write_text(_sheet(found), encoding="utf-8")
    return out


def title(notebook: NotebookNode) -> str:
    """The title of a page."""
    return next(c.source for c in notebook.cells if c.source.startswith("# ")).splitlines()[0][2:]


def _time(notebook: NotebookNode) -> str:
    found = re.search(r"\*\*Time\*\*: ([^,.]*)", "\n".join(c.source for c in notebook.cells))
    return found[1].strip() if found else ""


def _readme(kind: str, found: dict[str, NotebookNode]) -> str:
    rows = [
        f"| [{title(nb)}]({name}.ipynb) | {_time(nb)} | {_levels(nb)} |"
        for name, nb in found.items()
    ]
    table = ["| notebook | time | exercises of level 1, 2, 3 |", "|---|---|---|", *rows]
    return (
        f"# Lethe: notebooks for a course ({kind})\n\n{WELCOME[kind]}\n\n" + "\n".join(table) + "\n"
    )


def _levels(notebook: NotebookNode) -> str:
    levels = [exercise.level for exercise in exercises(notebook)]
    return ", ".join(str(levels.count(level)) for level in (1, 2, 3))


def _sheet(found: dict[str, NotebookNode]) -> str:
    """All exercises with their answers."""
    parts = ["# Answers to all exercises\n"]
    for name, notebook in found.items():
        parts.append(f"## {title(notebook)} (`{name}`)\n")
        for e in exercises(notebook):
            code = f"\n```python\n{e.code}\n```\n" if e.code else ""
            parts.append(f"**{e.number}.** (level {e.level}) {e.question}\n\n{e.answer}\n{code}")
    return "\n".join(parts)
