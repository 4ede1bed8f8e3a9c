"""Several values of a parameter: a page for each, an index, exit codes on the real command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import small_checkout

from lethe.cli import main
from lethe.errors import LetheError
from lethe.pages import grid, grid_index, rerun
from lethe.pages.inspect_html import read_page
from lethe.pages.parameters import Parameter

RUN = """
import sys
from pathlib import Path
from lethe.pages import rerun
rerun.ROOT = Path(sys.argv.pop(1))
from lethe.cli import main
main()
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return small_checkout.make(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(autouse=True)
def use_checkout(checkout, monkeypatch):
    monkeypatch.setattr(rerun, "ROOT", checkout)
    monkeypatch.setenv("LETHE_DATA", str(checkout / "data"))


def lethe(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", RUN, root, *words], capture_output=True, text=True)


@pytest.fixture(scope="module")
def made(checkout, tmp_path_factory):
    """Three pages, of which one fails, through the command line."""
    out = tmp_path_factory.mktemp("grid")
    values = ["-p", "traces_a=zoo-tiny-quick;zoo-small-quick", "-p", "fail=no"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LETHE_DATA", str(checkout / "data"))
        bad = lethe(checkout, "rerun", "tiny", "-p", "fail=false,true", "--out", str(out / "bad"))
        good = lethe(checkout, "rerun", "tiny", *values, "--out", str(out / "good"))
    return bad, good, out


def test_exit_codes(made, checkout):
    bad, good, out = made
    assert good.returncode == 0, good.stderr
    assert good.stdout.splitlines()[-1] == str(out / "good" / "index.html")
    assert bad.returncode == 1
    assert bad.stderr == f"lethe: 1 of 2 pages failed; the index: {out / 'bad' / 'index.html'}\n"


@pytest.mark.parametrize(
    "words",
    [
        ["tinny"],
        ["tiny", "-p", "top_fracton=0.1"],
        ["tiny", "-p", "top_fraction=0.1,2"],
        ["tiny", "-p", "top_fraction"],
        ["tiny", "-p", "bootstrap=1", "-p", "bootstrap=2"],
        ["tiny", "--unknown"],
        ["findings", "-p", "dataset=zooo"],
    ],
)
def test_what_is_refused_ends_with_exit_code_2_and_nothing_is_made(
    words, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(sys, "argv", ["lethe", "rerun", *words, "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err.strip()
    assert not (tmp_path / "out").exists()


def test_a_misspelt_page_on_the_real_command_line(checkout):
    done = lethe(checkout, "rerun", "tinny")
    assert done.returncode == 2
    assert (
        done.stderr == "lethe: unknown page 'tinny'; did you mean 'tiny'? (known: finding, tiny)\n"
    )


def test_pages_that_ran_are_kept_and_the_index_says_why_one_failed(made):
    out = made[2] / "bad"
    index = json.loads((out / "index.json").read_text())
    fine, failed = index["pages"]
    assert (out / fine["page"]).is_file()
    assert json.loads((out / fine["record"]).read_text())["given"] == {"fail": False}
    assert failed["values"] == {"fail": "true"}
    assert failed["error"].startswith("tiny stopped: first line; as far as it came")
    html = (out / "index.html").read_text()
    assert "<strong>failed</strong>: tiny stopped: first line" in html
    assert "lethe rerun tiny -p fail=false,true" in html


def test_the_index_compares_values(made):
    out = made[2] / "good"
    page, seen = (out / "index.html").read_text(), read_page(out / "index.html")
    assert seen.loads == []  # no network
    assert [link for link in seen.links if link.endswith("tiny.html")] == [
        "traces_a=zoo-tiny-quick/tiny.html",
        "traces_a=zoo-small-quick/tiny.html",
    ]
    assert page.count("1. upheld") == 2
    assert page.count("<td>0.10 [0.00, 0.20]</td>") >= 2
    assert 'class="lethe-chart"' in page
    assert "The numbers in this chart" in page
    index = json.loads((out / "index.json").read_text())
    assert index["numbers"] == ["fraction"]
    assert [each["results"]["fraction"]["value"] for each in index["pages"]] == [0.1, 0.1]
    assert index["pages"][0]["verdicts"][0]["word"] == "upheld"


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("float", "0.05, 0.1", ["0.05", "0.1"]),
        ("float", "0.1", ["0.1"]),
        ("str", "a,b", ["a", "b"]),
        ("str", "", [""]),
        ("str", ";glyphs", ["", "glyphs"]),
        ("list", "a,b", ["a,b"]),
        ("list", "a,b;c,d", ["a,b", "c,d"]),
        ("list", "[1, 2]", ["[1, 2]"]),
    ],
)
def test_commas_and_semicolons(kind, text, expected):
    assert grid.split_values(Parameter("x", kind, None, ""), text) == expected


def test_the_grid_is_the_product():
    known = {name: Parameter(name, "int", 0, "") for name in "ab"}
    rows = grid.combinations("page", known, {"a": "1,2", "b": "3,4"})
    assert rows == [{"a": a, "b": b} for a in "12" for b in "34"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"a": "1,2,3,4,5,6", "b": "1,2,3,4,5,6"}, "6 x 6 = 36 pages; at most 30 at once"),
        ({"a": "1,2,01"}, "a has the value '01' twice"),
        ({"a": "1,"}, "a is of type int, not ''"),
        ({"c": "1"}, "page has no parameter 'c'"),
    ],
)
def test_bad_grids_are_refused(given, message):
    known = {name: Parameter(name, "int", 0, "") for name in "ab"}
    with pytest.raises(LetheError, match=message):
        grid.combinations("page", known, given)


def test_every_row_is_checked_before_any_runs(tmp_path):
    with pytest.raises(LetheError, match="'smal' has no traces"):
        grid.rerun_page("finding", {"models": "tiny,small;tiny,smal"}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folder_names_are_plain_and_distinct():
    names = grid.folder_names(["a=x/y", "a=x y", "a=" + "z" * 90])
    assert names[:2] == ["a=x_y", "a=x_y-2"]
    assert len(names[2]) == 60


def record(text: str, reason: str) -> dict:
    results = {"rho": {"text": text, "low": 0.1}, "other": {"text": "3", "low": None}}
    return {"results": results, "verdicts": [{"word": "upheld", "claim": "c", "reason": reason}]}


def test_main_numbers_are_those_of_the_verdicts():
    assert grid_index.main_numbers([record("0.2 [0.1, 0.3]", "0.2 [0.1, 0.3] lies")]) == ["rho"]
    plain = {"results": {"n": {"text": "3", "low": None}}, "verdicts": []}
    assert grid_index.main_numbers([plain]) == ["n"]
    assert grid_index.main_numbers([]) == []
