"""The public names as their source has them: signature, docstring and place.

They are read, not imported, so torch is not needed. `python -m lethe.pages.api` writes the list by
which a test freezes them. Cost: 0.2 s for all.
"""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import lethe
from lethe.errors import LetheError, nearest

LIBRARY = Path(lethe.__file__).parent
Defined = ast.FunctionDef | ast.ClassDef | ast.AnnAssign


@dataclass(frozen=True)
class Entry:
    """One public name; `members` are the public methods of a class."""

    name: str
    kind: str
    signature: str
    text: str
    place: str
    members: tuple["Entry", ...] = ()


def entry(name: str) -> Entry:
    """The entry of a public name such as lethe.scores.score; LetheError for any other name."""
    if name not in names():
        raise LetheError(f"{name!r} is no public name: {nearest(name, names())}")
    module, _, short = name.rpartition(".")
    home = lethe.HOMES[short] if module == "lethe" else lethe.MODULES[module.split(".")[1]]
    path, node = find(home, short)
    node = Spelt(_aliases(path)).visit(node)
    place = f"lib/{path.relative_to(LIBRARY.parent).as_posix()}, line {node.lineno}"
    return _entry(name, node, place, _text_after(path, node))


def names() -> list[str]:
    """All public names, with the module as users write it."""
    return [f"{module}.{name}" for module, short in lethe.PUBLIC.items() for name in short]


def find(module: str, name: str) -> tuple[Path, Defined]:
    """The file and the definition of a name, followed through the imports of packages."""
    path = _path(module)
    tree = _tree(path)
    for node in tree.body:
        if isinstance(node, Defined) and _name_of(node) == name:
            return path, node
    for part in ast.walk(tree):
        if isinstance(part, ast.ImportFrom) and part.module:
            for alias in part.names:
                if (alias.asname or alias.name) == name:
                    return find(part.module, alias.name)
    raise LetheError(f"{module} has no {name!r}")


def _path(module: str) -> Path:
    path = LIBRARY.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


class Spelt(ast.NodeTransformer):
    """Writes the module's own names of types out: a reader does not know what `Matrix` is."""

    def __init__(self, aliases: dict[str, ast.expr]) -> None:
        """aliases: type by name."""
        self.aliases = aliases

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """The type that a name stands for, or the name."""
        return self.aliases.get(node.id, node)


@cache
def _aliases(path: Path) -> dict[str, ast.expr]:
    """Types with a name of this library's own, such as Matrix = Callable[..., np.ndarray]."""
    found: dict[str, ast.expr] = {}
    for part in _tree(path).body:
        module = part.module or "" if isinstance(part, ast.ImportFrom) else ""
        if isinstance(part, ast.ImportFrom) and module.startswith("lethe."):
            wanted = {alias.name for alias in part.names if alias.name.istitle()}
            there = _aliases(_path(module)) if wanted else {}
            found |= {name: there[name] for name in wanted & set(there)}
        elif isinstance(part, ast.Assign) and isinstance(part.value, ast.Subscript | ast.BinOp):
            name = ast.unparse(part.targets[0])
            found |= {name: part.value} if name.istitle() else {}
    return found


def _name_of(node: Defined) -> str:
    return ast.unparse(node.target) if isinstance(node, ast.AnnAssign) else node.name


def _text_after(path: Path, node: Defined) -> str:
    """The string below a constant, which says what it is; empty for all else."""
    lines = _tree(path).body if isinstance(node, ast.AnnAssign) else []
    for here, below in pairwise(lines):
        if here.lineno == node.lineno and isinstance(below, ast.Expr):
            return inspect.cleandoc(ast.literal_eval(below.value))
    return ""


def _entry(name: str, node: Defined, place: str, text: str = "") -> Entry:
    if isinstance(node, ast.AnnAssign):
        return Entry(name, "data", f": {ast.unparse(node.annotation)}", text, place)
    text = ast.get_docstring(node) or ""
    if isinstance(node, ast.FunctionDef):
        return Entry(name, "function", _signature(node), text, place)
    start = next((m for m in _methods(node) if m.name == "__init__"), None)
    signature = _signature(start, with_result=False) if start else _fields(node)
    begins = (ast.get_docstring(start) or "") if start else ""
    members = tuple(
        Entry(m.name, _kind(m), _signature(m), ast.get_docstring(m) or "", place)
        for m in _methods(node)
        if not m.name.startswith("_")
    )
    return Entry(name, "class", signature, f"{text}\n\n{begins}".strip(), place, members)


def _kind(node: ast.FunctionDef) -> str:
    """Method, property or class method."""
    marks = {"property": "property", "classmethod": "classmethod", "staticmethod": "staticmethod"}
    found = [marks[d.id] for d in node.decorator_list if isinstance(d, ast.Name) and d.id in marks]
    return found[0] if found else "method"


def _methods(node: ast.ClassDef) -> Iterator[ast.FunctionDef]:
    return (part for part in node.body if isinstance(part, ast.FunctionDef))


def _signature(node: ast.FunctionDef, with_result: bool = True) -> str:
    """Arguments and result as the source has them, without `self`."""
    result = f" -> {ast.unparse(node.returns)}" if with_result and node.returns else ""
    if _kind(node) == "property":
        return result.replace(" ->", ":")
    given = ast.unparse(node.args)
    for own in ("self", "cls"):
        given = "" if given == own else given.removeprefix(f"{own}, ")
    return f"({given}){result}"


def _fields(node: ast.ClassDef) -> str:
    """The fields of a dataclass as its arguments; empty where there are none."""
    lines = [ast.unparse(part) for part in node.body if isinstance(part, ast.AnnAssign)]
    return f"({', '.join(lines)})" if lines else ""


def listing() -> str:
    """All public names and methods with their signatures, a line each, sorted."""
    lines = []
    for one in map(entry, names()):
        lines.append(f"{one.kind} {one.name}{one.signature}")
        lines += [f"{m.kind} {one.name}.{m.name}{m.signature}" for m in one.members]
    return "\n".join(sorted(lines)) + "\n"


if __name__ == "__main__":
    frozen = LIBRARY.parents[1] / "tests" / "public_api.txt"
    frozen.write_text(listing(), "utf-8")
    print(frozen)
