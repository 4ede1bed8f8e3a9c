"""lethe.pages.claims: every verdict shown once, matched with the claim it tests."""

import pytest

from lethe.errors import LetheError
from lethe.pages import book, claims


def record(*texts, **numbers):
    verdicts = [{"claim": text, "word": "upheld", "reason": "0.5 > 0.1"} for text in texts]
    parameters = {"dataset": "glyphs", "beside": "cifar7"}
    return {"parameters": parameters, "results": numbers, "verdicts": verdicts}


CLAIM = claims.Claim("Seeds <agree>.", "about 0.01 [A]", "finding_3", ("two seeds",), "rho")


def test_every_claim_names_a_page_with_verdicts():
    pages = claims.pages()
    for claim in (*claims.OF_THE_PAPER, *claims.OF_NEIGHBOURS):
        assert claim.page in pages
        assert claim.begins


@pytest.mark.parametrize(
    "claim", [*claims.OF_THE_PAPER, *claims.OF_NEIGHBOURS], ids=lambda claim: claim.page
)
def test_every_claim_is_tested_by_the_last_build(claim):
    """Each beginning matches: a claim that a page has since put in other words would be lost."""
    try:
        found = book.read_results([claim.page])
    except LetheError:
        pytest.skip("no built book: run make book first")
    parts = claims.matching(found[claim.page], claim)
    for begins in claim.begins:
        assert any(words.startswith(begins) for words in parts), begins
    assert not claim.key or claim.key in found[claim.page]["results"]


def test_parts_stand_under_their_claim_with_a_line_for_each_data_set():
    number = {"value": 0.5, "low": 0.4, "high": 0.6, "text": "0.50 [0.40, 0.60]"}
    found = {
        "finding_3": record("on glyphs, two seeds <x>.", "on cifar7, two seeds <x>.", rho=number)
    }
    html = claims.table(found, [CLAIM]).data
    assert html.count("<td>two seeds &lt;x&gt;.</td>") == 1
    assert html.count("lethe-mark") == 2
    assert "Seeds &lt;agree&gt;." in html
    assert "Reported: about 0.01 [A]" in html
    assert "Ours: glyphs 0.50 [0.40, 0.60]." in html
    assert "cifar7: 0.5 &gt; 0.1" in html


def test_what_no_claim_matches_is_shown_with_the_others():
    found = {"finding_3": record("on glyphs, two seeds.", "on glyphs, a third thing.")}
    left = claims.others(found, [CLAIM])
    assert [v["claim"] for v in left["finding_3"]["verdicts"]] == ["on glyphs, a third thing."]
    assert claims.others({"finding_3": record("on glyphs, two seeds.")}, [CLAIM]) == {}


def test_only_what_holds_a_word_is_shown():
    found = {"finding_3": record("on glyphs, two seeds.", "on cifar7, two seeds.")}
    assert claims.table(found, [CLAIM], "CIFAR").data.count("lethe-mark") == 1
    assert claims.table(found, [CLAIM], "agree").data.count("lethe-mark") == 2
    assert "No claim here holds" in claims.table(found, [CLAIM], "<zebra>").data
    assert "<zebra>" not in claims.table(found, [CLAIM], "<zebra>").data


def test_titles_are_those_of_the_pages():
    assert claims.titles()["claims"] == "Claim by claim: the paper, ours, the verdict"
