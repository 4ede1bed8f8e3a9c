"""The exercises of a page as its source holds them, and the students' copy of the page.

Names are followed statically: a cell `binds` what it assigns, imports or defines, and `needs` the
global names that it reads and does not bind. What a cell binds before it reads it is not told from
the reverse.
"""

import ast
import builtins
import re
import symtable
from collections.abc import Iterator

from nbformat import NotebookNode

SOLUTION, CHECK = ["solution", "hide-cell"], ["check"]
HEADER = re.compile(r"^\*\*Exercise (\d+)\*\* \(level (\d), ([a-z ]+)\)\. (?=\S)", re.MULTILINE)
FOLDED = "```{admonition} Solution\n:class: dropdown\n"
GIVEN = {*dir(builtins), "get_ipython", "display", "__name__", "__file__"}


def section(notebook: NotebookNode, title: str = "Exercises") -> list[NotebookNode]:
    """The cells under a heading of level 2, Markdown cut at the heading and at the next one."""
    cells, inside = [], False
    for cell in notebook.cells:
        parts = re.split(r"^## (.+)\n?", cell.source, flags=re.MULTILINE)
        if cell.cell_type != "markdown" or len(parts) == 1:
            cells += [cell] if inside else []
            continue
        texts = [(inside, parts[0])]
        texts += [(head == title, text) for head, text in zip(parts[1::2], parts[2::2])]
        cells += [NotebookNode(cell | {"source": text}) for kept, text in texts if kept]
        inside = texts[-1][0]
    return cells


def tags_of(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def exercises_of(cells: list[NotebookNode]) -> list[tuple[int, int, str, str]]:
    """Number, level, word and text of every exercise in a section."""
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    parts = HEADER.split(text)[1:]
    rows = zip(parts[::4], parts[1::4], parts[2::4], parts[3::4])
    return [(int(number), int(level), word, body) for number, level, word, body in rows]


def code_by_exercise(cells: list[NotebookNode]) -> Iterator[tuple[int, NotebookNode]]:
    """The code cells of a section, each with the number of the exercise that it stands under."""
    number = 0
    for cell in cells:
        if cell.cell_type == "code":
            yield number, cell
        elif headers := HEADER.findall(cell.source):
            number = int(headers[-1][0])


def asked(cell: NotebookNode) -> list[ast.Call]:
    """The calls of `exercises.check` and `exercises.check_that` that are statements of a cell."""
    calls = [node.value for node in ast.parse(cell.source).body if isinstance(node, ast.Expr)]
    names = ("exercises.check", "exercises.check_that")
    return [c for c in calls if isinstance(c, ast.Call) and ast.unparse(c.func) in names]


def answers_in(code: str) -> list[str]:
    """Every mention of an answer in code."""
    names = [node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)]
    return [name for name in names if re.fullmatch(r"answer_\d+", name)]


def student_copy(notebook: NotebookNode) -> list[str]:
    """The code cells of the students' copy: solutions are replaced by dots."""
    return [
        f"{min(answers_in(cell.source))} = ..." if "solution" in tags_of(cell) else plain(cell)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def plain(cell: NotebookNode) -> str:
    """Code without the lines for the notebook itself."""
    return re.sub(r"^[%!].*$", "", cell.source, flags=re.MULTILINE)


def undefined(codes: list[str]) -> set[str]:
    """Names that a cell needs and that neither Python nor a cell before it gives."""
    known, missing = set(GIVEN), set()
    for code in codes:
        missing |= needs(code) - known
        known |= binds(code)
    return missing


def taken_from_solutions(notebook: NotebookNode) -> set[str]:
    """Names but answers that a solution binds and a later cell needs: their value would differ."""
    changed, taken = set(), set()
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        code = plain(cell)
        if "solution" in tags_of(cell):
            changed |= {name for name in binds(code) if not re.fullmatch(r"answer_\d+", name)}
        else:
            taken |= needs(code) & changed
            changed -= binds(code)
    return taken


def binds(code: str) -> set[str]:
    names = symtable.symtable(code, "cell", "exec").get_symbols()
    return {name.get_name() for name in names if name.is_assigned() or name.is_imported()}


def needs(code: str) -> set[str]:
    table = symtable.symtable(code, "cell", "exec")
    read = {s.get_name() for s in table.get_symbols() if s.is_referenced()}
    for inner in scopes(table):
        read |= {s.get_name() for s in inner.get_symbols() if s.is_global() and s.is_referenced()}
    return read - binds(code)


def scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for inner in table.get_children():
        yield inner
        yield from scopes(inner)
