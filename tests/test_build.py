"""lethe.pages.build, inspect_html, mathml, status: from a notebook to a page."""

import json
import time

import nbformat
import psutil
import pytest

from lethe.errors import LetheError
from lethe.pages import build, inspect_html, mathml, status

CELLS = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% tags=["parameters"]
number: int = 3  # a number

# %%
from lethe.pages import book

page = book.start("small", {"number": number})
book.record(page, "headline", number, fmt=".0f")
book.finish(page)
"""


@pytest.fixture
def root(tmp_path):
    """A checkout with one small notebook."""
    (tmp_path / "root" / "notebooks").mkdir(parents=True)
    (tmp_path / "root" / "notebooks" / "small.py").write_text(CELLS)
    return tmp_path / "root"


def test_pages_come_slowest_first_and_those_that_read_the_others_last():
    names = build.page_names()
    assert names[-2:] == ["at_a_glance", "claims"]
    assert names[0] == "quickstart"
    assert len(names) == len(set(names)) >= 9


def test_a_folder_without_notebooks_is_refused(tmp_path):
    with pytest.raises(LetheError, match="no notebooks"):
        build.page_names(tmp_path)


def test_the_code_of_check_cells_is_folded_and_no_other():
    check = nbformat.v4.new_code_cell("1", metadata={"tags": ["check"]})
    other = nbformat.v4.new_code_cell("2", metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[check, other, nbformat.v4.new_code_cell("3")])
    cells = build.with_folded_checks(notebook).cells
    assert [cell.metadata.get("tags") for cell in cells] == [
        ["check", "hide-input"],
        ["parameters"],
        None,
    ]


def test_an_unknown_page_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(LetheError, match="did you mean 'glyphs'"):
        build.build(tmp_path, ["glyph"])
    assert not list(tmp_path.iterdir())


def test_a_notebook_becomes_executed_pages_and_results(root, tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_RESULTS", str(tmp_path / "out" / "results"))
    outcome = build.execute("small", root, tmp_path / "out")
    assert outcome.error == ""
    executed = nbformat.read(tmp_path / "out/source/notebooks/small.ipynb", as_version=4)
    assert "small" in str(executed.cells[-1].outputs)
    results = json.loads((tmp_path / "out/results/small.json").read_text())
    assert results["results"]["headline"]["text"] == "3"
    page = status.page(tmp_path / "out/source", tmp_path / "out/results")
    assert "[small](../notebooks/small.ipynb)" in page


def test_a_failing_notebook_is_named_with_its_cell(root, tmp_path):
    broken = CELLS.replace("fmt=", "fmt=1 / 0, low=")
    (root / "notebooks" / "small.py").write_text(broken)
    outcome = build.execute("small", root, tmp_path / "out")
    assert outcome.error == "cell 2: division by zero"
    assert not (tmp_path / "out/source/notebooks/small.ipynb").exists()
    with pytest.raises(LetheError, match="small \\(cell 2: division by zero\\)"):
        build._stop_on_failure([outcome], tmp_path / "out")


def test_a_page_that_warns_is_a_problem(tmp_path):
    warning = nbformat.v4.new_output("stream", name="stderr", text="FutureWarning: old")
    fine = nbformat.v4.new_output("stream", name="stdout", text="0.41")
    cells = [nbformat.v4.new_code_cell(outputs=[output]) for output in (fine, warning, warning)]
    cells[2].metadata["tags"] = ["remove-cell"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "small.ipynb")
    assert build.noise(tmp_path) == ["small: cell 1 warns: 'FutureWarning: old'"]


def test_two_builds_in_one_folder_are_refused(tmp_path):
    with (
        build.alone(tmp_path),
        pytest.raises(LetheError, match="another build is at work"),
        build.alone(tmp_path),
    ):
        pass
    with build.alone(tmp_path):
        pass


GOOD = "<a href='other.html#here'>x</a><img src='data:,' alt='y'><a href='https://a.org'>z</a>"


@pytest.fixture
def site(tmp_path):
    """Two pages that refer to each other correctly."""
    (tmp_path / "index.html").write_text(GOOD)
    (tmp_path / "other.html").write_text("<h1 id='here'>x</h1><a href='index.html'>back</a>")
    return tmp_path


def test_good_pages_have_no_problem(site):
    assert inspect_html.problems(site) == []


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ("<a href='gone.html'>x</a>", "gone.html leads nowhere"),
        ("<a href='other.html#gone'>x</a>", "other.html#gone leads nowhere"),
        ("<a href='#gone'>x</a>", "#gone leads nowhere"),
        ("<script src='https://cdn.org/vega.js'></script>", "from the web"),
        ("<link rel='stylesheet' href='//cdn.org/a.css'>", "from the web"),
        ("<img src='data:,'>", "without a text alternative"),
        ("<img src='gone.png' alt='x'>", "gone.png leads nowhere"),
        ("x" * 2_000_001, "more than 2 MB"),
    ],
)
def test_each_kind_of_problem_is_found(site, html, problem):
    (site / "index.html").write_text(html)
    found = inspect_html.problems(site)
    assert len(found) == 1
    assert problem in found[0]


def test_a_site_without_front_page_is_a_problem(tmp_path):
    assert "no index.html" in inspect_html.problems(tmp_path)[0]


def test_formulas_become_mathml():
    from docutils import nodes

    html = mathml.to_mathml(nodes.math("", r"R(t) = e^{-\lambda t}"), block=False)
    assert html.startswith("<math")
    assert "λ" in html


def test_a_named_function_keeps_its_distance():
    from docutils import nodes

    assert "mspace" in mathml.to_mathml(nodes.math("", r"\ln 2"), block=False)
    assert "mspace" not in mathml.to_mathml(nodes.math("", r"x y"), block=False)


@pytest.mark.skipif(not build.LAST_HTML.is_dir(), reason="the book is not built: run make book")
def test_the_built_book_has_no_problem():
    assert inspect_html.problems(build.LAST_HTML) == []


def test_a_build_that_stops_leaves_the_last_one_whole(tmp_path):
    for folder in ("source", "results"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "page").write_text("last")
    with pytest.raises(KeyboardInterrupt), build.replacing(tmp_path):  # noqa: PT012
        (tmp_path / "source").mkdir()
        (tmp_path / "source" / "half").write_text("new")
        raise KeyboardInterrupt
    assert {path.name for path in tmp_path.rglob("*")} == {"source", "results", "page"}
    with build.replacing(tmp_path):
        (tmp_path / "source").mkdir()
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_pages_that_lack_are_named_before_anything_runs(root, tmp_path):
    (root / "notebooks" / "other.py").write_text(CELLS)
    with pytest.raises(LetheError, match="not executed yet: other"):
        build.build(tmp_path / "out", ["small"], root=root)
    assert not (tmp_path / "out" / "source").exists()


def test_ctrl_c_ends_a_pool_and_all_it_has_started():
    command = "import subprocess, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"
    with pytest.raises(KeyboardInterrupt), build.stoppable_pool() as pool:  # noqa: PT012
        pool.submit(exec, command)
        while not any(p.name() == "sleep" for p in psutil.Process().children(recursive=True)):
            time.sleep(0.05)
        raise KeyboardInterrupt
    assert not [p for p in psutil.Process().children(recursive=True) if p.name() == "sleep"]
