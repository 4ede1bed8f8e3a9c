"""The public names: frozen with their signatures, loaded lazily, all described on the book's page.

A test of the frozen list that fails means a break, or an addition, for users. If it is meant:

    python -m lethe.pages.api        # writes tests/public_api.txt anew; look at the difference

Something that goes or changes needs a row in `lethe.RENAMED`, a line in the changelog and patience
for one minor version (the book's page "What stays the same").
"""

import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.version import Version

import lethe
from lethe.errors import LetheError
from lethe.pages import api, api_directive

ROOT = Path(__file__).parents[1]
NAMES = api.names()


def test_names_and_signatures_are_frozen():
    frozen = (ROOT / "tests" / "public_api.txt").read_text("utf-8").splitlines()
    found = api.listing().splitlines()
    gone, new = sorted(set(frozen) - set(found)), sorted(set(found) - set(frozen))
    assert (gone, new) == ([], []), "public names changed; the head of this file says what to do"


def test_there_are_few_of_them():
    assert len(NAMES) <= 50


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"lethe.EpochSampler"}))  # it loads torch
def test_what_is_read_is_what_is_imported(name):
    module, _, short = name.rpartition(".")
    found = getattr(lethe if module == "lethe" else getattr(lethe, module[6:]), short)
    entry = api.entry(name)
    assert inspect.cleandoc(found.__doc__ or "") in entry.text or entry.kind == "data"
    assert len(entry.text) > 20
    if entry.kind == "function":
        written = re.findall(r"(?:^|[(,] )\*?(\w+):", entry.signature.replace("(", "(, ", 1))
        assert set(written) == set(inspect.signature(found).parameters)
    for member in entry.members:
        assert member.text, f"{name}.{member.name} has no docstring"


def test_every_name_is_on_the_page_once():
    page = (ROOT / "book" / "api.md").read_text("utf-8")
    blocks = re.findall(r"```\{lethe-api\}\n(.*?)```", page, re.DOTALL)
    assert sorted(" ".join(blocks).split()) == sorted(NAMES)


def test_importing_lethe_loads_nothing_else():
    code = (
        "import importlib, sys, typing, warnings; before = set(sys.modules); import lethe; "
        "print([name for name in set(sys.modules) - before if name != 'lethe'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_names_are_listed_and_others_are_refused():
    assert dir(lethe) == sorted(lethe.__all__)
    assert set(lethe.__all__) == {*lethe.HOMES, *lethe.MODULES, "__version__"}
    assert set(lethe.PUBLIC["lethe"]) == set(lethe.HOMES)
    assert lethe.open_traces is importlib.import_module("lethe.traces").open_traces
    with pytest.raises(AttributeError, match="no public name 'open_trace'"):
        lethe.open_trace  # noqa: B018
    with pytest.raises(LetheError, match=r"no public name: did you mean 'lethe.scores.SCORES'"):
        api.entry("lethe.scores.scor")


def test_a_renamed_name_works_and_warns_where_it_is_used(monkeypatch):
    monkeypatch.setitem(lethe.RENAMED, "read_traces", lethe.Renamed("open_traces", "0.4"))
    with pytest.warns(DeprecationWarning, match="now lethe.open_traces; .* in version 0.4") as told:
        assert lethe.read_traces is lethe.open_traces
    assert told[0].filename == __file__


def test_no_renamed_name_has_outlived_its_version():
    here = Version(lethe.__version__)
    late = [old for old, row in lethe.RENAMED.items() if Version(row.gone) <= here]
    assert late == []


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == lethe.__version__
    for name, form in (
        ("CITATION.cff", "\nversion: {}\n"),
        ("book/changelog.md", "\n## {}, "),
        ("book/api_stability.md", "This is version {}."),
    ):
        assert form.format(lethe.__version__) in (ROOT / name).read_text("utf-8"), name


def test_a_store_of_an_earlier_version_opens():
    ds = lethe.open_traces("cifar7-resnet18-quick", ROOT / "data" / "traces")
    written = {each["environment"]["lethe"] for each in json.loads(ds.attrs["manifests"])}
    assert written == {"0.1.0"}
    assert ds.sizes["sample"] == 2064


ENTRY = api.Entry("lethe.f", "function", "(x: int) -> str", "Says `x`.", "lib/lethe/f.py, line 3")


def test_an_entry_becomes_a_directive_of_the_python_domain():
    assert api_directive.markdown(ENTRY).splitlines() == [
        "````{py:function} lethe.f(x: int) -> str",
        "",
        "Says `x`.",
        "",
        "Source: `lib/lethe/f.py, line 3`",
        "````",
    ]
    data = api.Entry("lethe.D", "data", ": dict[str, int]", "Numbers.", "lib/lethe/f.py, line 9")
    assert ":type: dict[str, int]" in api_directive.markdown(data)


CONF = """
extensions = ["myst_parser", "lethe.pages.api_directive"]
html_theme = "basic"
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A book of one page with all names and one that is none, and what Sphinx said of it."""
    folder, listed = tmp_path_factory.mktemp("api"), "\n".join(NAMES)
    blocks = f"```{{lethe-api}}\n{listed}\n```\n\n```{{lethe-api}}\nlethe.open_trace\n```\n"
    (folder / "index.md").write_text(f"# Names\n\n{{py:func}}`lethe.open_traces`\n\n{blocks}")
    (folder / "conf.py").write_text(CONF)
    command = [sys.executable, "-m", "sphinx", "-q", "-n", "-b", "html", folder, folder / "html"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return (folder / "html" / "index.html").read_text("utf-8"), done.stderr.strip().splitlines()


def test_every_public_name_has_an_anchor_and_can_be_linked(built):
    assert set(NAMES) <= set(re.findall(r'id="([\w.]+)"', built[0]))
    assert 'href="#lethe.open_traces"' in built[0]
    assert "<dl>" not in built[0], "a list without terms is an error for a screen reader"
    assert '<span class="lethe-arguments">' in built[0]


def test_a_name_that_is_not_public_is_the_only_thing_sphinx_complains_of(built):
    told = [line for line in built[1] if "WARNING" in line or "ERROR" in line]
    assert len(told) == 1
    assert "did you mean 'lethe.open_traces'" in "".join(built[1])
