"""lethe.pages.provenance and foot: how a page was made, at its end and at the foot of all pages."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lethe import paths
from lethe.pages import book, foot, provenance


@pytest.fixture
def fresh(monkeypatch):
    """Commit and state are asked for again, before and after."""
    monkeypatch.delenv("LETHE_COMMIT", raising=False)
    for function in (provenance.commit, provenance.changed):
        function.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    for function in (provenance.commit, provenance.changed):
        function.cache_clear()


@pytest.mark.parametrize(
    ("given", "state"),
    [("abc123", "abc123"), ("abc123+", "abc123 with uncommitted changes"), ("unknown", "unknown")],
)
def test_a_build_hands_its_commit_on(fresh, given, state):
    fresh.setenv("LETHE_COMMIT", given)
    assert provenance.state() == state
    assert provenance.handed_on() == given


def test_a_package_has_no_commit_of_the_working_copy_around_it(fresh, tmp_path):
    fresh.setattr(paths, "CHECKOUT", tmp_path)
    assert provenance.state() == "unknown"


def git(folder, *words):
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def test_uncommitted_changes_are_told_but_not_new_files(fresh, tmp_path):
    (tmp_path / "a.py").write_text("1")
    git(tmp_path, "init")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-m", "x")
    fresh.setattr(provenance, "__file__", str(tmp_path / "a.py"))
    (tmp_path / "new.txt").write_text("x")
    assert re.fullmatch("[0-9a-f]{12}", provenance.commit())
    assert not provenance.changed()
    (tmp_path / "a.py").write_text("2")
    provenance.changed.cache_clear()
    assert provenance.changed()
    assert provenance.state() == f"{provenance.commit()} with uncommitted changes"


def test_outside_a_repository_the_commit_is_unknown(fresh, tmp_path):
    fresh.setattr(provenance, "__file__", str(tmp_path / "a.py"))
    fresh.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.state() == "unknown"


def test_the_footer_says_how_the_page_was_made(fresh):
    fresh.setenv("LETHE_COMMIT", "abc123+")
    facts = provenance.facts(12.34)
    html = provenance.footer("small", {"fraction": 0.1}, [], facts)
    cells = dict(re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', html))
    assert "<summary>How this page was made</summary>" in html
    assert cells["page"] == "small"
    assert cells["commit"] == "abc123 with uncommitted changes"
    assert cells["make it again"] == "lethe rerun small"
    assert cells["parameters"] == "fraction = 0.1"
    assert cells["run time"] == "12.3 s"
    assert re.fullmatch(r"[\d,]+ MB", cells["peak memory"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", cells["date"])
    assert cells["platform"]
    for name in ("python 3.", "numpy 2.", "papermill 2.", "jupyter-book 1.0.4.post1"):
        assert name in cells["versions"]


def test_a_rerun_gives_the_footer_its_own_command(fresh):
    fresh.setenv("LETHE_COMMAND", "lethe rerun small -p fraction=0.2")
    html = provenance.footer("small", {}, [], provenance.facts(1.0))
    assert "<td>lethe rerun small -p fraction=0.2</td>" in html


def test_the_results_file_holds_time_memory_and_platform(fresh, tmp_path, capsys):
    fresh.setenv("LETHE_RESULTS", str(tmp_path))
    fresh.setenv("SOURCE_DATE_EPOCH", "86400")
    book.finish(book.start("small", {}))
    found = json.loads((tmp_path / "small.json").read_text())
    assert found["made_at"] == "1970-01-02 00:00:00 UTC"
    assert isinstance(found["uncommitted_changes"], bool)
    assert found["peak_memory_mb"] > 20
    assert found["platform"]


def test_peak_memory_is_in_mb_of_this_process():
    code = "from lethe.pages import provenance; held = bytearray(700_000_000)"
    code += "; print(provenance.peak_memory())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 700 < float(done.stdout) < 1000


def test_without_the_module_the_peak_is_unknown(monkeypatch):
    monkeypatch.setattr(provenance, "MARKS", Path("nowhere"))
    monkeypatch.setitem(sys.modules, "resource", None)
    facts = provenance.facts(1.0)
    assert facts["peak_memory_mb"] is None
    assert "<td>unknown</td>" in provenance.footer("small", {}, [], facts)


def test_the_foot_names_commit_and_date_and_leads_to_the_status_page(fresh):
    fresh.setenv("LETHE_COMMIT", "abc123+")
    fresh.setenv("SOURCE_DATE_EPOCH", "86400")
    words = "Built on 1970-01-02 from commit abc123 with uncommitted changes."
    assert foot.line(None) == words
    link = '<a href="../book/status.html">Status of this build</a>.'
    assert foot.line("../book/status.html") == f"{words} {link}"
