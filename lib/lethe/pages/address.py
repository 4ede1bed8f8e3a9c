"""The public address of the book's repository, set everywhere by one command: `lethe address URL`.

It stands in `_config.yml` (launch, repository and issue buttons), CITATION.cff, pyproject.toml and
the first cell of every notebook, where Colab reads from which repository to install. Cost: 1 s.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from lethe.errors import LetheError
from lethe.paths import need_checkout

ROOT = Path(__file__).resolve().parents[3]
FORM = re.compile(r"https://[\w.-]+(?::\d+)?/[\w.-]+(?:/[\w.-]+)+|file:///[\w./-]+")
BRANCH = re.compile(r"(?!-)[\w./-]+")
CELL = "install"  # tag of the first cell of a notebook
WRITTEN = re.compile(r'ADDRESS, BRANCH = "(.*)", "(.*)"')
BLOCK = re.compile(r"# address: .*\n(?:(?!# end of address).*\n)*# end of address\n")
HEAD = "# address: written by `lethe address`, which sets it in all other places too\n"
COLAB, BINDER = "https://colab.research.google.com", "https://mybinder.org"
WITH_BUTTONS = re.compile(r"https://(github|gitlab)\.com/[\w.-]+/[\w.-]+")  # what the theme knows


@dataclass(frozen=True)
class Address:
    """Address and branch of a repository; an empty `url` where none is known."""

    url: str = ""
    branch: str = "main"


def checked(url: str, branch: str = "main") -> Address:
    """An address in its plain form; LetheError unless it is one of a repository."""
    plain = url.strip().rstrip("/")
    if plain.startswith("https:"):
        plain = plain.removesuffix(".git")
    if not FORM.fullmatch(plain):
        raise LetheError(
            f"{url!r} is no address of a repository; expected https://github.com/ORG/REPO"
        )
    if not BRANCH.fullmatch(branch):
        raise LetheError(f"{branch!r} is no name of a branch; e.g. main")
    return Address(plain, branch)


def current(root: Path = ROOT) -> Address:
    """The address in force; LetheError where it is not the same in all notebooks."""
    found = {Address(*found.groups()) for found in _in_notebooks(root)}
    if len(found) != 1:
        raise LetheError(
            f"the notebooks hold {len(found)} addresses; set one: lethe address https://..."
        )
    return found.pop()


def _in_notebooks(root: Path) -> list[re.Match[str]]:
    texts = [path.read_text("utf-8") for path in sources(root)]
    return [found for text in texts if (found := WRITTEN.search(text))]


def sources(root: Path) -> list[Path]:
    """The sources of the notebooks; LetheError where there are none."""
    found = sorted((root / "notebooks").glob("*.py"))
    if not found:
        need_checkout("the book")
        raise LetheError(f"no notebooks in {root / 'notebooks'}; run this in a checkout of Lethe")
    return found


def write(address: Address, root: Path = ROOT) -> list[Path]:
    """Set the address in every place, or take it away; returns the files that changed."""
    names = {"_config.yml": in_config, "CITATION.cff": in_citation, "pyproject.toml": in_project}
    places: dict[Path, Callable[[str, Address], str]]
    places = {root / name: change for name, change in names.items()}
    places |= dict.fromkeys(sources(root), in_source)
    twins = {path.with_suffix(".ipynb") for path in sources(root)}
    notebooks = {twin: _first_cell(twin) for twin in sorted(twins) if twin.is_file()}
    changed = [path for path, change in places.items() if _replace(path, change, address)]
    return changed + [twin for twin, read in notebooks.items() if _in_twin(twin, *read, address)]


def _replace(path: Path, change: Callable[[str, Address], str], address: Address) -> bool:
    old = path.read_text("utf-8")
    new = change(old, address)
    if new != old:
        path.write_text(new, encoding="utf-8")
    return new != old


def in_config(text: str, address: Address) -> str:
    """`_config.yml` with the address and its buttons; none without one, or on another host."""
    lines = _buttons(address) if WITH_BUTTONS.fullmatch(address.url) else []
    if not BLOCK.search(text):
        raise LetheError("_config.yml has no lines '# address: ...' and '# end of address'")
    text = BLOCK.sub("".join([HEAD, *lines, "# end of address\n"]), text)
    shown = str(bool(lines)).lower()
    return re.sub(r"(use_(?:repository|issues)_button:) \w+", rf"\1 {shown}", text)


def _buttons(address: Address) -> list[str]:
    """Binder starts from GitHub and GitLab; Colab opens notebooks of GitHub alone."""
    lines = ["repository:\n", f"  url: {address.url}\n", f"  branch: {address.branch}\n"]
    lines += ["launch_buttons:\n", "  notebook_interface: jupyterlab\n"]
    lines.append(f"  binderhub_url: {BINDER}\n")
    if address.url.startswith("https://github.com/"):
        lines.append(f"  colab_url: {COLAB}\n")
    return lines


def _is_web(address: Address) -> bool:
    """Whether others can reach it: a folder of this computer is no address to publish."""
    return address.url.startswith("https:")


def in_citation(text: str, address: Address) -> str:
    """CITATION.cff with `repository-code`, or without it."""
    text = re.sub(r"^repository-code: .*\n", "", text, flags=re.MULTILINE)
    line = f'repository-code: "{address.url}"\n' if _is_web(address) else ""
    return re.sub(r"^(license: .*\n)", lambda m: m[1] + line, text, flags=re.MULTILINE)


def in_project(text: str, address: Address) -> str:
    """pyproject.toml with the table `project.urls`, or without it."""
    text = re.sub(r"^\[project\.urls\]\n(?:\w.*\n)*\n?", "", text, flags=re.MULTILINE)
    table = f'[project.urls]\nRepository = "{address.url}"\n\n' if _is_web(address) else ""
    return text.replace("[project.scripts]\n", f"{table}[project.scripts]\n")


def in_source(text: str, address: Address) -> str:
    """The source of a notebook, or its first cell alone, with the address."""
    return WRITTEN.sub(f'ADDRESS, BRANCH = "{address.url}", "{address.branch}"', text, count=1)


def _first_cell(path: Path) -> tuple[NotebookNode, NotebookNode]:
    """A twin and its first cell; LetheError if it has none."""
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if CELL in cell.metadata.get("tags", [])]
    if not cells:
        raise LetheError(f"{path.name} has no cell tagged {CELL!r}; give `make sync` first")
    return notebook, cells[0]


def _in_twin(path: Path, notebook: NotebookNode, cell: NotebookNode, address: Address) -> bool:
    old, cell.source = cell.source, in_source(cell.source, address)
    if cell.source != old:
        nbformat.write(notebook, path)
    return cell.source != old
