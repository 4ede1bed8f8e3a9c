"""lethe.pages.status: what the status page says of a build."""

import json

import nbformat
import pytest

from lethe.pages import provenance, status

STORE = {"name": "a.zarr.zip", "model": "vit", "preset": "quick", "seeds": 10, "device": "cpu"}
STORE |= {"sha256": "0123456789abcdef" * 4}


@pytest.fixture
def build(tmp_path):
    """Add a page that took these seconds and MB; returns the text of the status page."""

    def add(name, seconds, megabytes=500, verdicts=(), **more):
        folder = tmp_path / "source" / "notebooks"
        folder.mkdir(parents=True, exist_ok=True)
        run = {"duration": seconds, "end_time": "2026-11-26T14:31:55.5+00:00"}
        notebook = nbformat.v4.new_notebook(metadata={"papermill": run})
        nbformat.write(notebook, folder / f"{name}.ipynb")
        record = {"name": name, "verdicts": list(verdicts), "stores": [STORE]}
        record |= {"commit": "abc1234567", "uncommitted_changes": False, "platform": "Linux-x"}
        record |= {"versions": {"python": "3.11.2"}, "peak_memory_mb": megabytes} | more
        (tmp_path / "results").mkdir(exist_ok=True)
        (tmp_path / "results" / f"{name}.json").write_text(json.dumps(record))
        return status.page(tmp_path / "source", tmp_path / "results")

    return add


def row(text, start):
    return next(line for line in text.splitlines() if line.startswith(f"| {start}"))


def test_a_page_has_its_row(build):
    claims = [{"claim": "a | b", "word": "upheld"}, {"claim": "c", "word": "cannot tell"}]
    text = build("small", 12.34, 512, claims, uncommitted_changes=True)
    link = "[small](../notebooks/small.ipynb)"
    assert row(text, "[small") == (f"| {link} | 12.3 | 512 | 2 | 26 Nov 14:31 | abc1234+ |")
    assert row(text, "small | a") == "| small | a \\| b | upheld |"
    assert row(text, "a.zarr.zip") == "| a.zarr.zip | vit | quick | 10 | cpu | `0123456789abcdef` |"
    assert "[changelog](changelog.md)" in text


@pytest.mark.parametrize(
    ("seconds", "megabytes", "shown"),
    [
        (59.9, 1999, "| 59.9 | 1,999 |"),
        (60.0, 1999, "| 60.0 **over 60** | 1,999 |"),
        (1.0, 2500, "| 1.0 | 2,500 **over 2,000** |"),
        (1.0, None, "| 1.0 | unknown |"),
    ],
)
def test_what_is_over_a_bar_is_marked(build, seconds, megabytes, shown):
    assert shown in row(build("small", seconds, megabytes), "[small")


def test_versions_that_differ_between_pages_are_all_told(build):
    build("one", 1.0)
    text = build("two", 1.0, versions={"python": "3.12.1"}, platform="Darwin-y")
    assert row(text, "python") == "| python | 3.11.2, 3.12.1 |"
    assert row(text, "platform") == "| platform | Darwin-y, Linux-x |"
    assert row(text, "commit of") == f"| commit of the build | {provenance.state()} |"


def test_every_locked_package_is_listed_as_installed(build):
    text = build("small", 1.0)
    listed = text.partition("{admonition} All packages")[2]
    pinned = status.locked(status.LOCK.read_text("utf-8"))
    assert len(pinned) > 100
    assert listed.count("\n| ") == len(pinned) + 2
    numpy = provenance.installed("numpy")
    assert row(listed, "numpy") == f"| numpy | {numpy} | {pinned['numpy']} |"


def test_a_package_that_differs_from_the_lock_is_counted(build, tmp_path, monkeypatch):
    (tmp_path / "lock").write_text("# x\nnumpy==0.1\nno-such-thing[extra]==2.0 ; python\n")
    monkeypatch.setattr(status, "LOCK", tmp_path / "lock")
    text = build("small", 1.0)
    assert "2 packages; 2 other than the lock file says." in text
    assert row(text, "no-such") == "| no-such-thing | not installed | 2.0 |"


def test_a_build_without_results_still_has_a_page(tmp_path):
    (tmp_path / "notebooks").mkdir()
    assert "| python |" in status.page(tmp_path, tmp_path / "results")
