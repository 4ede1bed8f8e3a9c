"""Rerun: unknown names and values are refused before anything runs; a page stands alone."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import papermill
import pytest
import small_checkout
from small_checkout import HEADER

from lethe.errors import LetheError
from lethe.pages import describe, parameters, rerun
from lethe.pages.inspect_html import read_page
from lethe.pages.markdown import markdown


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout with two pages and two trace stores."""
    return small_checkout.make(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(autouse=True)
def use_checkout(checkout, monkeypatch):
    monkeypatch.setattr(rerun, "ROOT", checkout)
    monkeypatch.setenv("LETHE_DATA", str(checkout / "data"))


@pytest.fixture(scope="module")
def made(checkout, tmp_path_factory):
    """The page run once with other parameters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rerun, "ROOT", checkout)
        patch.setenv("LETHE_DATA", str(checkout / "data"))
        given = {"top_fraction": "0.25", "cuts": "0.3,0.5", "log_scale": "yes"}
        return rerun.rerun("tiny", given, tmp_path_factory.mktemp("out") / "new")


def test_the_record_holds_parameters_results_and_provenance(made):
    record = json.loads(made.with_suffix(".json").read_text())
    assert record["results"]["fraction"]["value"] == 0.25
    assert record["parameters"]["cuts"] == [0.3, 0.5]
    assert record["given"] == {"top_fraction": 0.25, "cuts": [0.3, 0.5], "log_scale": True}
    assert re.fullmatch(r"[0-9a-f]{64}", record["stores"][0]["sha256"])
    keys = {"commit", "uncommitted_changes", "versions", "platform", "seconds", "peak_memory_mb"}
    assert keys | {"made_at", "verdicts", "command", "given"} <= record.keys()
    assert record["command"].startswith("lethe rerun tiny -p top_fraction=0.25")


def test_the_page_stands_alone(made):
    html = made.read_text()
    seen = read_page(made)
    assert seen.loads == []  # nothing from the web, nothing from beside it
    assert not re.findall(r"<(?:script|img)[^>]+src=[\"']?http", html)
    chart = '<div class="lethe-chart"></div>'
    assert html.count("window.vegaEmbed") == html.count(chart) == 1
    assert html.index("window.vegaEmbed") < html.index(chart)
    assert "The fraction is 0.25 [0.15, 0.35]." in html
    assert made.stat().st_size < 2_000_000


def test_the_page_reads_like_the_book(made):
    html = made.read_text()
    assert "<math" in html
    assert "<title>How large is $x^2$?</title>" in html
    assert "hidden = " not in html  # cells tagged remove-cell
    assert '<details class="code">' in html  # cells tagged hide-input
    assert '<details class="admonition"><summary>Solution</summary>' in html
    assert "{ref}" not in html


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"top_fracton": "0.2"},
            "no parameter 'top_fracton'; did you mean 'top_fraction'",
        ),
        ({"traces_a": "zoo-tiny-quik"}, "traces_a: unknown traces .*did you mean 'zoo-tiny-quick'"),
        ({"traces_a": "no/such.zarr.zip"}, "traces_a: there is no trace store no/such.zarr.zip"),
        ({"top_fraction": "1.5"}, "top_fraction must lie between 0 and 1"),
        ({"top_fraction": "0"}, "top_fraction must lie between 0 and 1"),
        ({"top_fraction": "nan"}, "top_fraction is of type float, not 'nan'"),
        ({"top_fraction": "a tenth"}, "top_fraction is of type float, not 'a tenth'; e.g. 0.1"),
        ({"bootstrap": "0"}, "bootstrap must be more than 0"),
        ({"bootstrap": "2.5"}, "bootstrap is of type int, not '2.5'"),
        ({"random_seed": "-1"}, "random_seed must be 0 or more"),
        ({"method": "exakt"}, "method 'exakt' is unknown; did you mean 'exact'"),
        ({"score": "amu"}, "score 'amu' is unknown; did you mean 'aum'"),
        ({"log_scale": "maybe"}, "log_scale is of type bool, not 'maybe'"),
        ({"cuts": "0.1,x"}, "cuts is of type float, not 'x'"),
    ],
)
def test_bad_parameters_are_refused_before_anything_runs(given, message, tmp_path):
    with pytest.raises(LetheError, match=message) as error:
        rerun.rerun("tiny", given, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dataset": "zooo"}, "dataset 'zooo' has no traces; did you mean 'zoo'"),
        ({"models": "tiny,smal"}, "models: 'smal' has no traces on .*did you mean 'small'"),
        ({"preset": "quik"}, "preset 'quik' has no traces on .*did you mean 'quick'"),
        ({"beside": "cifar7"}, "beside 'cifar7' has no traces; .*an empty beside shows one"),
        ({"models": "tiny"}, "models are two networks, not 1"),
        ({"models": "tiny,tiny"}, "models names 'tiny' twice"),
        ({"models": "a.zarr.zip,tiny"}, "models: there is no trace store a.zarr.zip"),
    ],
)
def test_what_was_never_captured_is_refused_before_anything_runs(given, message, tmp_path):
    with pytest.raises(LetheError, match=message) as error:
        rerun.rerun("finding", given, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_defaults_that_were_never_captured_are_refused_too(tmp_path, checkout, monkeypatch):
    only = tmp_path / "data" / "traces"
    only.mkdir(parents=True)
    shutil.copy(checkout / "data/traces/zoo-tiny-quick.zarr.zip", only)
    monkeypatch.setenv("LETHE_DATA", str(tmp_path / "data"))
    with pytest.raises(LetheError, match=r"'small' has no traces .*known: tiny"):
        rerun.rerun("finding", {}, tmp_path / "out")


def test_stores_of_a_pair_may_be_given_by_path(checkout, tmp_path, monkeypatch):
    shutil.copy(checkout / "data/traces/zoo-tiny-quick.zarr.zip", tmp_path / "mine.zarr.zip")
    monkeypatch.chdir(tmp_path)
    known = parameters.read_parameters(_notebook(checkout, tmp_path, "finding"))
    given = {"models": "mine.zarr.zip,small", "beside": "zooo"}  # a file has nothing beside it
    values = parameters.check_values("finding", known, given)
    assert values["models"] == [str(tmp_path / "mine.zarr.zip"), "small"]


def test_plain_papermill_gives_the_same_error(tmp_path, checkout):
    source = _notebook(checkout, tmp_path, "finding")
    command = [sys.executable, "-m", "papermill", str(source), str(tmp_path / "out.ipynb")]
    done = subprocess.run([*command, "-p", "models", "tiny,smal"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "models: 'smal' has no traces on dataset 'zoo'" in done.stderr


def test_an_unknown_page_gets_the_nearest_one(tmp_path):
    with pytest.raises(LetheError, match="unknown page 'tinny'; did you mean 'tiny'"):
        rerun.rerun("tinny", {}, tmp_path)
    with pytest.raises(LetheError, match="did you mean 'tiny'"):
        describe.describe("tinny")


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LetheError, match=r"cannot write in .*choose another --out"):
        rerun.rerun("tiny", {}, tmp_path / "file" / "out")


def test_a_page_that_fails_says_where_in_one_line(tmp_path):
    with pytest.raises(LetheError, match="tiny stopped: first line; as far as it came") as error:
        rerun.rerun("tiny", {"fail": "true"}, tmp_path)
    assert "\n" not in str(error.value)
    assert (tmp_path / "tiny.ipynb").exists()
    assert not (tmp_path / "tiny.html").exists()


def test_describe_says_what_the_page_says_and_lists_every_parameter(checkout):
    told = describe.describe("tiny")
    assert told.startswith("tiny: How large is $x^2$?\nThe fraction is small.\n")
    assert "To read: 3 minutes. To rerun: a second (never built)." in told
    rows = {line.split()[0]: line for line in told.split("────\n")[1].splitlines() if line[0] > " "}
    known = parameters.read_parameters(_notebook(checkout, checkout / "run-tiny"))
    assert list(rows) == list(known)
    first = {name: line.split() for name, line in rows.items()}
    assert first["top_fraction"][:7] == [
        "top_fraction",
        "float",
        "0.1",
        "between",
        "0",
        "and",
        "1,",
    ]
    assert first["method"] == ["method", "str", "exact", "exact", "|", "sampled", "how"]
    assert first["log_scale"] == ["log_scale", "bool", "false", "true", "|", "false", "axis"]
    assert first["cuts"] == ["cuts", "list", "of", "float", "0.1,0.2", "further", "shares"]
    assert "dataset str zoo zoo data set" in " ".join(describe.describe("finding").split())


def test_describe_knows_the_seconds_of_the_last_build(checkout):
    results = checkout / "_build" / "results"
    results.mkdir(parents=True)
    (results / "tiny.json").write_text('{"seconds": 12.34, "results": {}}')
    assert "(12 s in the last build)" in describe.describe("tiny")
    (results / "tiny.json").write_text("{")
    assert "(never built)" in describe.describe("tiny")
    shutil.rmtree(results)


def test_the_list_has_names_first_and_titles_after():
    lines = [line.split(maxsplit=1) for line in describe.list_pages()]
    assert [name for name, _ in lines] == ["finding", "tiny", "findings"]
    assert lines[1][1] == "How large is $x^2$?"


def test_plain_papermill_stops_at_unknown_traces(tmp_path, checkout):
    source = tmp_path / "tiny.ipynb"
    nbformat.write(jupytext.read(checkout / "notebooks" / "tiny.py"), source)
    command = [sys.executable, "-m", "papermill", str(source), str(tmp_path / "out.ipynb")]
    done = subprocess.run(
        [*command, "-p", "traces_a", "zoo-tiny-quik"], capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "did you mean 'zoo-tiny-quick'" in done.stderr


def test_a_store_may_be_given_by_path(checkout, tmp_path, monkeypatch):
    shutil.copy(checkout / "data/traces/zoo-tiny-quick.zarr.zip", tmp_path / "mine.zarr.zip")
    monkeypatch.chdir(tmp_path)
    known = parameters.read_parameters(_notebook(checkout, tmp_path))
    values = parameters.check_values("tiny", known, {"traces_a": "mine.zarr.zip"})
    assert values == {"traces_a": str(tmp_path / "mine.zarr.zip")}


def _notebook(checkout: Path, folder: Path, name: str = "tiny") -> Path:
    nbformat.write(jupytext.read(checkout / "notebooks" / f"{name}.py"), folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


def test_parameters_are_those_papermill_sees(checkout, tmp_path):
    path = _notebook(checkout, tmp_path)
    known = parameters.read_parameters(path)
    assert list(known) == list(papermill.inspect_notebook(str(path)))
    assert known["method"].choices == ["exact", "sampled"]
    assert known["cuts"].default == [0.1, 0.2]


@pytest.mark.parametrize("text", ["0.3,0.5", "[0.3, 0.5]", " 0.3 , 0.5 "])
def test_lists_are_written_with_commas_or_as_json(text):
    parameter = parameters.Parameter("cuts", "list", [], "", "float")
    assert parameters.convert(parameter, text) == [0.3, 0.5]


def test_a_computed_parameter_is_refused(tmp_path):
    text = HEADER + '\n# %% tags=["parameters"]\nn: int = 3 * 4  # computed\n'
    nbformat.write(jupytext.reads(text, fmt="py:percent"), tmp_path / "page.ipynb")
    with pytest.raises(LetheError, match="parameter n = 3 \\* 4 is computed"):
        parameters.read_parameters(tmp_path / "page.ipynb")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a $x$ b", "<math"),
        ("$$\nx = 1\n$$", 'display="block"'),
        ("{cite:p}`toneva2019empirical,x2020`", "(Toneva 2019,X 2020)"),
        ("{doc}`the page <other>`", "the page"),
        (":::{note}\nMind **this**.\n:::", "<strong>this</strong>"),
        ("```python\nx < 1\n```", "x &lt; 1"),
        ("| a |\n|---|\n| 1 |", "<td>1</td>"),
        ("<b>kept</b>", "<b>kept</b>"),
        (
            "[far](https://example.org) [near](../x.md)",
            '<a href="https://example.org">far</a> <span>',
        ),
    ],
)
def test_markdown_forms_of_the_pages(source, expected):
    assert expected in markdown(source)
