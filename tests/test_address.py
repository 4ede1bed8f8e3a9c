"""The address of the repository: one command sets it everywhere, buttons open notebooks."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml

from lethe.errors import LetheError
from lethe.pages import address, build

ROOT = Path(__file__).parents[1]
URL = "https://github.com/someone/lethe"
FILES = ("_config.yml", "CITATION.cff", "pyproject.toml")
SOURCES = sorted((ROOT / "notebooks").glob("*.py"))


def first_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells tagged `install`."""
    return [cell for cell in notebook.cells if "install" in cell.metadata.get("tags", [])]


def copy_checkout(root: Path, names: tuple[str, ...] = ("glyphs", "traces")) -> Path:
    """The files that hold the address, in a folder of their own, with two notebooks."""
    (root / "notebooks").mkdir(parents=True)
    for name in FILES:
        shutil.copy(ROOT / name, root)
    for name in names:
        shutil.copy(ROOT / "notebooks" / f"{name}.py", root / "notebooks")
        twin = root / "notebooks" / f"{name}.ipynb"
        nbformat.write(jupytext.read(twin.with_suffix(".py")), twin)
    return root


@pytest.fixture
def root(tmp_path):
    return copy_checkout(tmp_path / "checkout")


def contents(root: Path) -> dict[str, str]:
    return {str(p.relative_to(root)): p.read_text() for p in root.rglob("*") if p.is_file()}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_the_first_code_cell_is_hidden_short_and_the_same_everywhere(source):
    cells = jupytext.read(source).cells
    first = next(cell for cell in cells if cell.cell_type == "code")
    assert first.metadata["tags"] == ["remove-cell", "install"]
    assert len(first.source.splitlines()) <= 10
    trains = source.stem == "quickstart"
    reference = first_cells(jupytext.read(ROOT / "notebooks" / "traces.py"))[0].source
    assert first.source == reference.replace('"TRAINS": False', f'"TRAINS": {trains}')


def test_the_cell_does_nothing_where_lethe_is_installed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    exec(first_cells(jupytext.read(SOURCES[0]))[0].source, {})
    assert not list(tmp_path.iterdir())


def test_without_lethe_and_without_address_the_cell_says_what_to_do(tmp_path):
    cell = address.in_source(first_cells(jupytext.read(SOURCES[0]))[0].source, address.Address())
    command = [sys.executable, "-S", "-c", cell]  # no site-packages
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        "AssertionError: Lethe is not installed: run `pip install -e .` in a checkout of the book"
    )


def test_one_command_sets_all_places_and_takes_the_address_away_again(root):
    address.write(address.Address(), root)  # whatever the address of this checkout
    before = contents(root)
    address.write(address.checked(f"{URL}.git/", "dev"), root)
    assert address.current(root) == address.Address(URL, "dev")
    config = yaml.safe_load((root / "_config.yml").read_text())
    assert config["repository"] == {"url": URL, "branch": "dev"}
    assert set(config["launch_buttons"]) == {"notebook_interface", "binderhub_url", "colab_url"}
    assert config["html"]["use_repository_button"] is config["html"]["use_issues_button"] is True
    assert yaml.safe_load((root / "CITATION.cff").read_text())["repository-code"] == URL
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert project["urls"] == {"Repository": URL}
    assert "scripts" in project
    for twin in root.glob("notebooks/*.ipynb"):
        source = jupytext.read(twin.with_suffix(".py"))
        cells = first_cells(source) + first_cells(nbformat.read(twin, as_version=4))
        assert [f'"{URL}", "dev"' in cell.source for cell in cells] == [True, True]
    assert address.write(address.checked(URL, "dev"), root) == []  # idempotent
    address.write(address.Address(), root)
    assert contents(root) == before


def test_colab_gets_no_button_where_it_could_not_open_the_notebook(root):
    address.write(address.checked("https://gitlab.com/someone/lethe"), root)
    assert "colab_url" not in yaml.safe_load((root / "_config.yml").read_text())["launch_buttons"]
    address.write(address.checked("https://git.example.org/team/lethe"), root)
    assert "launch_buttons" not in yaml.safe_load((root / "_config.yml").read_text())


def test_a_folder_for_tests_goes_into_the_notebooks_alone(root):
    address.write(address.Address(), root)
    before = {name: (root / name).read_text() for name in FILES}
    address.write(address.checked("file:///srv/book.git"), root)
    assert {name: (root / name).read_text() for name in FILES} == before
    assert address.current(root).url == "file:///srv/book.git"


@pytest.mark.parametrize(
    ("url", "branch"),
    [
        ("http://github.com/a/b", "main"),
        ("github.com/a/b", "main"),
        ("git@github.com:a/b.git", "main"),
        ("https://github.com/a", "main"),
        ("https://github.com/a/b?x=1", "main"),
        ("https://github.com/a/b; rm -r x", "main"),
        ('https://github.com/a/b"', "main"),
        ("", "main"),
        (URL, "--upload-pack=x"),
        (URL, "a b"),
        (URL, ""),
    ],
)
def test_what_is_no_address_is_refused(url, branch):
    with pytest.raises(LetheError, match=r"is no address of a repository|is no name of a branch"):
        address.checked(url, branch)


def test_a_twin_without_the_cell_is_named_before_anything_changes(root):
    twin = root / "notebooks" / "traces.ipynb"
    notebook = nbformat.read(twin, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell not in first_cells(notebook)]
    nbformat.write(notebook, twin)
    before = contents(root)
    with pytest.raises(LetheError, match=r"traces.ipynb has no cell tagged 'install'; .*make sync"):
        address.write(address.checked(URL), root)
    assert contents(root) == before


TOC = """format: jb-book
root: book/licences
chapters:
- file: notebooks/traces
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A prose page and a notebook rendered with an address, as the book is."""
    root = copy_checkout(tmp_path_factory.mktemp("buttons") / "checkout")
    address.write(address.checked(URL), root)
    out = root / "_build"
    source = out / "source"
    shutil.copytree(ROOT / "book", source / "book")
    (source / "book" / "_toc.yml").write_text(TOC)
    shutil.copy(root / "_config.yml", source)
    (source / "notebooks").mkdir()
    executed = nbformat.read(root / "notebooks" / "traces.ipynb", as_version=4)
    nbformat.write(executed, source / "notebooks" / "traces.ipynb")
    return build.render(out, strict=False)


def launch_links(page: Path) -> list[str]:
    found = re.findall(r'href="([^"]+)"', page.read_text("utf-8"))
    return [link for link in found if "colab" in link or "mybinder" in link]


def test_buttons_open_the_notebook_that_the_repository_has(pages):
    links = set(launch_links(pages / "notebooks" / "traces.html"))
    colab = "https://colab.research.google.com/github/someone/lethe/blob/main/"
    binder = "https://mybinder.org/v2/gh/someone/lethe/main?urlpath=lab/tree/"
    assert links == {f"{colab}notebooks/traces.ipynb", f"{binder}notebooks/traces.ipynb"}
    assert (ROOT / "notebooks" / "traces.ipynb").is_file()


def test_prose_pages_get_the_repository_but_no_launch_button(pages):
    page = pages / "book" / "licences.html"
    assert launch_links(page) == []
    assert f'href="{URL}"' in page.read_text()
    assert f"{URL}/issues/new" in page.read_text()


@pytest.mark.slow
def test_a_notebook_opened_by_itself_fetches_the_book_and_runs(tmp_path):
    """In a fresh environment that has a kernel and nothing else, from a clone with an address."""
    url = f"file://{tmp_path / 'book.git'}"
    work = committed_copy(tmp_path / "work", url)
    subprocess.run(["git", "clone", "-q", "--bare", work, tmp_path / "book.git"], check=True)
    python = fresh_python(tmp_path / "venv", "ipykernel", "nbclient", "nbformat")
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(work / "notebooks" / "glyphs.ipynb", alone)
    done = subprocess.run(
        [python, "-c", EXECUTE, "glyphs.ipynb"], cwd=alone, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (alone / "lethe-book" / ".git").is_dir()
    cells = nbformat.read(alone / "done.ipynb", as_version=4).cells
    assert "lethe-provenance" in json.dumps(cells[-1].outputs)


EXECUTE = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=1200, kernel_name="python3").execute()
nbformat.write(notebook, "done.ipynb")
"""


def committed_copy(work: Path, url: str) -> Path:
    """A clone of this checkout as it stands, with the address `url` set and committed."""
    subprocess.run(["git", "clone", "-q", "-b", branch(), ROOT, work], check=True)
    for path in [*SOURCES, *(ROOT / name for name in FILES), *ROOT.glob("lib/lethe/**/*.py")]:
        (work / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, work / path.relative_to(ROOT))
    for source in work.glob("notebooks/*.py"):
        nbformat.write(jupytext.read(source), source.with_suffix(".ipynb"))
    address.write(address.checked(url, branch()), work)
    me = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *me, "commit", "-qam", "address"], cwd=work, check=True)
    return work


def branch() -> str:
    command = ["git", "rev-parse", "--abbrev-ref", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def fresh_python(folder: Path, *packages: str) -> Path:
    """A new environment with these packages; returns its Python."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    return python
