"""A page as a student's or an instructor's notebook, and its exercises one by one.

Cost: about 50 ms a page; nothing is executed.
"""

import ast
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode

from lethe.errors import LetheError, nearest
from lethe.pages.markdown import author_year
from lethe.paths import need_checkout

ROOT = Path(__file__).resolve().parents[3]
SOLUTION = re.compile(
    r"\n*^(`{3,}|:{3,})\{admonition\} Solution\n:class: dropdown\n(.*?)^\1$",
    re.MULTILINE | re.DOTALL,
)
EXERCISE = re.compile(r"^\*\*Exercise (\d+)\*\* \(level (\d), [^)]*\)\.", re.MULTILINE)
HEADING = re.compile(r"^#+ ", re.MULTILINE)
ROLE = re.compile(r"\{(cite:[pt]|ref|doc|term)\}`([^`]*)`")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
BOX = re.compile(r"^(`{3,}|:{3,})\{(\w+)\} ?(.*)\n((?:.*\n)*?)\1$", re.MULTILINE)
FOLDED = {"remove-cell", "remove-input", "hide-input", "check"}


@dataclass(frozen=True)
class Exercise:
    """One exercise of a page: its text, its solution in words and, if it has one, in code."""

    number: int
    level: int
    question: str
    answer: str
    code: str


def pages(chosen: Sequence[str] = (), root: Path = ROOT) -> dict[str, NotebookNode]:
    """The chosen pages that have exercises, or all of them, as notebooks from their sources.

    Raises LetheError for an unknown page and for one without exercises.
    """
    found = {
        path.stem: path for path in sorted((root / "notebooks").glob("*.py"), key=_place(root))
    }
    if not found:
        need_checkout("the book")
    texts = {name: path.read_text("utf-8") for name, path in found.items()}
    known = [name for name, text in texts.items() if "# **Exercise 1** (level" in text]
    for name in chosen:
        if name not in known:
            why = "has no exercises" if name in found else "is no page"
            raise LetheError(f"{name!r} {why}; {nearest(name, known)}")
    return {name: jupytext.read(found[name]) for name in known if name in chosen or not chosen}


def _place(root: Path) -> Callable[[Path], tuple[int, str]]:
    """A key that sorts notebooks as the contents of the book do."""
    contents = root / "book" / "_toc.yml"
    text = contents.read_text("utf-8") if contents.is_file() else ""
    order = re.findall(r"notebooks/(\w+)", text)
    return lambda path: (order.index(path.stem) if path.stem in order else len(order), path.stem)


def exercises(notebook: NotebookNode) -> list[Exercise]:
    """The exercises of a page in order."""
    text = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    codes = {n: c.source for c in notebook.cells if has_tag(c, "solution") for n in answered(c)}
    starts = list(EXERCISE.finditer(text))
    ends = [match.start() for match in starts[1:]] + [len(text)]
    return [
        _exercise(start, HEADING.split(text[start.end() : end])[0], codes)
        for start, end in zip(starts, ends, strict=True)
    ]


def _exercise(start: re.Match, text: str, codes: dict[int, str]) -> Exercise:
    solution = SOLUTION.search(text)
    question = text[: solution.start()] if solution else text
    answer = solution[2].strip() if solution else ""
    number = int(start[1])
    return Exercise(number, int(start[2]), question.strip(), answer, codes.get(number, ""))


def has_tag(cell: NotebookNode, tag: str) -> bool:
    """Whether a cell has a tag."""
    return tag in cell.metadata.get("tags", [])


def answered(cell: NotebookNode) -> list[int]:
    """The numbers N of the names `answer_N` that a cell assigns."""
    nodes = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)]
    names = dict.fromkeys(node.id for node in nodes if isinstance(node.ctx, ast.Store))
    return [int(name[7:]) for name in names if re.fullmatch(r"answer_\d+", name)]


def for_students(notebook: NotebookNode, others: Collection[str] = ()) -> NotebookNode:
    """A copy of a page without its solutions: dots where an answer in code belongs.

    Links stay where they lead to one of the `others`, the pages of the same set.
    """
    coded = _coded(notebook)
    return _notebook(notebook, [_copy(c, _open(c, coded), others) for c in notebook.cells])


def for_instructors(notebook: NotebookNode, others: Collection[str] = ()) -> NotebookNode:
    """A copy of a page with everything in sight; links as for students."""
    return _notebook(notebook, [_copy(c, c.source, others) for c in notebook.cells])


def plain(text: str, others: Collection[str] = ()) -> str:
    """Markdown that JupyterLab shows as it is meant: no roles, no directives, no dead links."""
    text = ROLE.sub(lambda m: author_year(m[2]) if m[1][0] == "c" else _words(m[2]), text)
    text = BOX.sub(_box, text)
    return LINK.sub(lambda m: m[0] if _leads(m[2], others) else m[1], text)


def _words(content: str) -> str:
    return re.sub(r"\s*<[^>]*>$", "", content)


def _box(match: re.Match) -> str:
    """A directive as a quotation under its title."""
    lines = [line for line in match[4].splitlines() if not line.startswith(":class:")]
    title = match[3] or match[2].capitalize()
    return "\n".join([f"> **{title}**", ">", *(f"> {line}".rstrip() for line in lines)])


def _leads(link: str, others: Collection[str]) -> bool:
    name = link.split("#")[0]
    return "://" in link or not name or name.removesuffix(".ipynb") in others


def _coded(notebook: NotebookNode) -> set[int]:
    return {n for cell in notebook.cells if has_tag(cell, "solution") for n in answered(cell)}


def _open(cell: NotebookNode, coded: set[int]) -> str:
    """A cell without what it gives away; a question to be answered in words gets a place for it."""
    if has_tag(cell, "solution"):
        return "\n".join(f"answer_{n} = ...  # your answer" for n in answered(cell))
    if cell.cell_type != "markdown":
        return cell.source
    parts = re.split(r"(?m)^(?=\*\*Exercise \d+\*\*)", cell.source)
    return "".join(_asked(part, coded) for part in parts)


def _asked(part: str, coded: set[int]) -> str:
    head = EXERCISE.match(part)
    place = "" if head is None or int(head[1]) in coded else "\n\n> *Your answer:*"
    return SOLUTION.sub(place, part)


def _copy(cell: NotebookNode, source: str, others: Collection[str]) -> NotebookNode:
    """A fresh cell; set-up cells are folded in JupyterLab, which knows no tags."""
    if cell.cell_type == "markdown":
        return nbformat.v4.new_markdown_cell(plain(source, others))
    tags = [tag for tag in cell.metadata.get("tags", []) if tag not in ("solution", "hide-cell")]
    metadata: dict[str, Any] = {"tags": tags} if tags else {}
    if FOLDED & set(tags):
        metadata["jupyter"] = {"source_hidden": True}
    return nbformat.v4.new_code_cell(source, metadata=metadata)


def _notebook(old: NotebookNode, cells: list[NotebookNode]) -> NotebookNode:
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:03d}"  # equal pages give equal files
    kernel = (
        {"kernelspec": dict(old.metadata["kernelspec"])} if "kernelspec" in old.metadata else {}
    )
    return nbformat.v4.new_notebook(cells=cells, metadata=kernel)
