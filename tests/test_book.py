"""lethe.pages.book and provenance: numbers, verdicts, results files."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from lethe.errors import LetheError
from lethe.pages import book, provenance


@pytest.fixture
def page():
    return book.start("finding_0", {"top_fraction": 0.1})


def test_a_number_is_told_with_its_interval(page):
    assert book.record(page, "overlap", np.float64(0.4149), 0.38, 0.44) == "0.41 [0.38, 0.44]"
    assert book.record(page, "count", 1234, fmt=",.0f") == "1,234"
    assert book.record(page, "absent", math.nan) == "none"


def test_a_key_is_recorded_once_and_an_interval_is_upright(page):
    book.record(page, "overlap", 0.4)
    with pytest.raises(LetheError, match="recorded twice"):
        book.record(page, "overlap", 0.5)
    with pytest.raises(LetheError, match="upside down"):
        book.record(page, "gap", 0.4, 0.6, 0.2)


def test_an_unknown_key_names_the_nearest(page):
    book.record(page, "overlap", 0.4)
    with pytest.raises(LetheError, match="did you mean 'overlap'"):
        book.above(page, "overlp", 0.1)
    with pytest.raises(LetheError, match="did you mean 'overlap'"):
        book.text(page, "It is {overlp}.")


@pytest.mark.parametrize(
    ("low", "high", "above", "below", "within"),
    [
        (0.2, 0.4, "upheld", "not upheld", "not upheld"),
        (0.05, 0.15, "cannot tell", "cannot tell", "cannot tell"),
        (0.06, 0.14, "cannot tell", "cannot tell", "upheld"),
        (0.11, 0.13, "upheld", "not upheld", "upheld"),
        (-0.4, -0.2, "not upheld", "upheld", "not upheld"),
    ],
)
def test_rules_at_limit_0_1_and_margin_0_05(page, low, high, above, below, within):
    book.record(page, "x", (low + high) / 2, low, high, n_seeds=10)
    assert book.above(page, "x", 0.1).word == above
    assert book.below(page, "x", 0.1).word == below
    assert book.within(page, "x", 0.1, 0.05).word == within


@pytest.mark.parametrize(
    ("low", "high", "exceeds", "undercuts"),
    [
        (-0.2, 0.9, "not upheld", "not upheld"),
        (-0.2, 1.1, "cannot tell", "not upheld"),
        (0.1, 0.9, "upheld", "not upheld"),
        (0.1, 1.1, "upheld", "not upheld"),
        (-1.1, -0.1, "not upheld", "upheld"),
        (-1.1, 0.1, "not upheld", "cannot tell"),
        (-1.1, 1.1, "cannot tell", "cannot tell"),
    ],
)
def test_a_gain_is_seen_or_excluded_up_to_a_margin_of_1(page, low, high, exceeds, undercuts):
    book.record(page, "x", (low + high) / 2, low, high, n_seeds=10)
    assert book.exceeds(page, "x", 0, 1).word == exceeds
    assert book.undercuts(page, "x", 0, 1).word == undercuts


def test_a_gain_and_its_opposite_give_the_same_reason(page):
    book.record(page, "gain", 0.5, 0.1, 0.9, n_seeds=10)
    book.record(page, "few", 0.5, 0.1, 0.9, n_seeds=5)
    gain, loss = book.exceeds(page, "gain", 0, 1), book.undercuts(page, "gain", 0, 1)
    assert gain.reason.endswith("from 10 seeds, lies above 0")
    assert loss.reason.endswith("from 10 seeds, does not lie below 0 and ends short of -1")
    assert book.negated(gain) == book.Check("not upheld", gain.reason)
    assert book.negated(loss) == book.Check("upheld", loss.reason)
    few = book.exceeds(page, "few", 0, 1)
    assert few.reason.endswith("5 seeds, fewer than 6")
    assert book.negated(few) == few


@pytest.mark.parametrize("seeds", [None, 0, 1, 5])
def test_fewer_than_six_seeds_never_give_a_verdict(page, seeds):
    book.record(page, "x", 0.5, 0.4, 0.6, n_seeds=seeds)
    checks = book.above(page, "x", 0.1), book.below(page, "x", 0.1), book.within(page, "x", 0.5, 1)
    assert {check.word for check in checks} == {"cannot tell"}


def test_no_interval_gives_no_verdict(page):
    book.record(page, "bare", 0.5, n_seeds=10)
    book.record(page, "nan", 0.5, math.nan, math.nan, n_seeds=10)
    assert book.above(page, "bare", 0.1).word == "cannot tell"
    assert book.above(page, "nan", 0.1).word == "cannot tell"


@settings(max_examples=50, deadline=None)
@given(st.tuples(*[st.floats(-1, 1)] * 2).map(sorted), st.floats(-1, 1), st.floats(0.001, 1))
def test_no_interval_is_on_both_sides(bounds, limit, margin):
    page = book.start("finding_0", {})
    book.record(page, "x", sum(bounds) / 2, *bounds, n_seeds=6)
    words = [book.above(page, "x", limit).word, book.below(page, "x", limit).word]
    assert words != ["upheld", "upheld"]
    assert words != ["not upheld", "not upheld"]
    if book.within(page, "x", limit, margin).word == "upheld":
        assert book.within(page, "x", limit, margin + 0.1).word == "upheld"


def test_one_failed_check_settles_the_claim(page):
    book.record(page, "x", 0.5, 0.4, 0.6, n_seeds=10)
    good, bad, open_ = (book.above(page, "x", limit) for limit in (0.1, 0.9, 0.5))
    assert book.verdict(page, "all good.", good, good) == "upheld"
    assert book.verdict(page, "one open.", good, open_) == "cannot tell"
    assert book.verdict(page, "one bad.", open_, bad, good) == "not upheld"
    with pytest.raises(LetheError, match="without a check"):
        book.verdict(page, "none.")


def test_a_verdict_says_why_in_text_and_in_html(page, capsys):
    book.record(page, "share", 0.765, 0.755, 0.774, n_seeds=10, fmt=".1%")
    book.verdict(page, "lost <often>.", book.above(page, "share", 0.05))
    assert "76.5% [75.5%, 77.4%], from 10 seeds, lies above 5.0%" in capsys.readouterr().out
    html = book._verdict_html("not upheld", "lost <often>.", "of this")
    assert "lethe-not-upheld" in html
    assert "lost &lt;often&gt;" in html


def test_results_travel_through_the_file(page, tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_RESULTS", str(tmp_path / "results"))
    book.record(page, "x", 0.5, 0.4, 0.6, null=np.array([0.0, 0.1]), ceiling=0.8, n_seeds=10)
    book.verdict(page, "x is high.", book.above(page, "x", 0.1))
    book.finish(page)
    back = book.read_results(["finding_0"])["finding_0"]
    assert back["results"]["x"]["null"] == [0.0, 0.1]
    assert back["results"]["x"]["text"] == "0.50 [0.40, 0.60]"
    assert back["verdicts"][0]["word"] == "upheld"
    assert back["parameters"] == {"top_fraction": 0.1}


def test_missing_results_are_refused_by_name(tmp_path, monkeypatch):
    with pytest.raises(LetheError, match="no results of finding_9"):
        book.read_results(["finding_9"], tmp_path)
    monkeypatch.delenv("LETHE_RESULTS", raising=False)
    with pytest.raises(LetheError, match="make book"):
        book.read_results(["finding_9"])


def test_bands_in_words():
    assert book.words((0.04, 0.061)) == "0.04 to 0.06"
    assert book.words((0.05, 0.05)) == book.words(0.05) == "0.05"
    assert book.words(None) == "none"
    assert book.words(-0.001) == "0.00"
    assert book.words(-0.01) == "-0.01"


def test_nothing_is_written_without_a_folder(page, tmp_path, monkeypatch):
    monkeypatch.delenv("LETHE_RESULTS", raising=False)
    monkeypatch.chdir(tmp_path)
    book.finish(page)
    assert not list(tmp_path.iterdir())


def test_row_feeds_the_interval_chart(page):
    book.record(page, "x", 0.5, 0.4, 0.6, paper=0.34)
    row = book.row(page, "x", "The overlap")
    assert row["label"] == "The overlap"
    assert row["estimate"] == 0.5
    assert row["paper"] == 0.34


def test_the_footer_names_store_hash_parameters_and_commit(page, tmp_path, monkeypatch):
    path = tmp_path / "glyphs-a-quick.zarr.zip"
    path.write_bytes(b"abc")
    manifest = {"environment": {"device": "cpu", "commit": "c0ffee"}}
    attrs = {"preset": "quick", "manifests": json.dumps([manifest] * 2)}
    traces = xr.Dataset({"x": ("seed", [1.0, 2.0])}, attrs=attrs)
    traces.encoding["source"] = str(path)
    assert book.use(page, traces) is traces
    html = provenance.footer(page.name, page.parameters, page.stores, provenance.facts(1.0))
    for words in (
        "top_fraction = 0.1",
        "ba7816bf8f01cfea",
        "preset quick",
        "2 seeds",
        "cpu at commit c0ffee",
    ):
        assert words in html


def test_the_footer_names_a_study_with_its_tasks_and_every_commit(page):
    table = pd.DataFrame({"model": ["vit", "resnet", "vit"], "seed": [0, 0, 1]})
    ran_on = [{"device": "cpu", "commit": "c0ffee"}, {"device": "cpu", "commit": "beef"}]
    table.attrs.update(study="spacing", tasks=3, core_hours=0.5, environments=ran_on)
    table.attrs["table_sha256"] = "ba7816bf8f01cfea" * 4
    assert book.use_study(page, table) is table
    assert len(page.stores[0]["sha256"]) == 64
    html = provenance.footer(page.name, page.parameters, page.stores, provenance.facts(1.0))
    for words in (
        "results spacing.csv",
        "resnet, vit, 3 tasks in 0.5 core hours, 2 seeds",
        "run on cpu at commit beef, c0ffee, sha256 ba7816bf8f01cfea<",
    ):
        assert words in html


def test_the_commit_can_be_given_from_outside(monkeypatch):
    monkeypatch.setenv("LETHE_COMMIT", "abc123")
    provenance.commit.cache_clear()
    assert provenance.commit() == "abc123"
    provenance.commit.cache_clear()


@pytest.mark.parametrize(("low", "shown"), [(0.4, "0.50 [0.40, 0.60]"), (float("nan"), "0.50")])
def test_an_interval_of_the_analysis_is_kept_with_its_seeds(page, low, shown):
    interval = SimpleNamespace(estimate=0.5, low=low, high=0.6, n_seeds=7)
    assert book.keep(page, "x", interval, paper=0.34) == shown
    assert page.results["x"].n_seeds == 7
    assert page.results["x"].paper == 0.34
