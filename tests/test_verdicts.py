"""lethe.pages.verdicts: claims by data set, where a number lies, marks and counts."""

import math

import pytest

from lethe.pages import verdicts
from lethe.pages.book import Result

RECORD = {
    "parameters": {"dataset": "glyphs", "beside": "cifar7"},
    "results": {
        "rho": {"value": 0.7, "low": 0.6, "high": 0.8, "text": "0.70 [0.60, 0.80]"},
        "rho_beside": {"value": 0.5, "text": "0.50"},
    },
    "verdicts": [
        {"claim": "on glyphs, seeds agree.", "word": "upheld", "reason": "a"},
        {"claim": "on cifar7, seeds agree.", "word": "cannot tell", "reason": "b"},
        {"claim": "on Mondays, seeds agree.", "word": "not upheld", "reason": "c"},
        {"claim": "no data set, but a comma.", "word": "upheld", "reason": "d"},
    ],
}


def test_claims_are_grouped_by_data_set_and_commas_alone_make_none():
    found = verdicts.by_claim(RECORD)
    assert {on: v["word"] for on, v in found["seeds agree."].items()} == {
        "glyphs": "upheld",
        "cifar7": "cannot tell",
    }
    assert set(found) == {"seeds agree.", "on Mondays, seeds agree.", "no data set, but a comma."}
    assert set(found["no data set, but a comma."]) == {""}


def test_data_sets_of_a_page_that_names_several():
    record = {
        "parameters": {"datasets": ["mine"]},
        "verdicts": [{"claim": "on mine, x.", "word": "upheld", "reason": ""}],
    }
    assert verdicts.by_claim(record)["x."]["mine"]["word"] == "upheld"


def test_the_headline_number_comes_by_data_set():
    numbers = verdicts.headline(RECORD, "rho")
    assert list(numbers) == ["glyphs", "cifar7"]
    assert str(numbers["glyphs"]) == "0.70 [0.60, 0.80]"
    assert verdicts.headline(RECORD, "none") == {}


@pytest.mark.parametrize(
    ("low", "high", "null", "ceiling", "words"),
    [
        (0.2, 0.3, (0.0, 0.1), (0.5, 0.6), "above chance, below the ceiling"),
        (0.05, 0.3, (0.0, 0.1), 0.3, "at chance, at the ceiling"),
        (-0.5, -0.3, 0.0, None, "below chance"),
        (0.7, 0.8, None, 0.6, "above the ceiling"),
        (None, None, 0.0, 1.0, ""),
    ],
)
def test_where_a_number_lies(low, high, null, ceiling, words):
    assert verdicts.placed(Result(0.25, low, high, null, ceiling)) == words


def test_a_mark_says_its_verdict_in_words():
    assert verdicts.mark("not upheld") == (
        '<span class="lethe-mark lethe-not-upheld">not upheld</span>'
    )


def test_the_tally_counts_every_verdict_once():
    table = verdicts.tally({"page": RECORD, "empty": RECORD | {"verdicts": []}})
    assert table.loc["page"].tolist() == [2, 1, 1]
    assert table.loc["empty"].sum() == 0
    assert math.isclose(table.to_numpy().sum(), len(RECORD["verdicts"]))


def test_unknown_data_sets_keep_their_name():
    assert verdicts.spoken("glyphs") == "letters and digits"
    assert verdicts.spoken("mine") == "mine"
