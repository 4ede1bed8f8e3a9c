"""lethe.pages.cards: answers follow from verdicts, on any data set."""

import pytest

from lethe.pages import cards

ASKED = cards.Asked(
    page="finding_9",
    question="Do <seeds> agree?",
    claim="seeds agree",
    said=("Yes", "No", "Open"),
    key="rho",
    what="rank correlation",
    paper="about 0.01",
)


def record(*words, sets=("glyphs", "cifar7")):
    result = {"value": 0.5, "low": 0.4, "high": 0.6, "null": 0.0, "ceiling": [0.7, 0.8]}
    result |= {"n_seeds": 10, "fmt": ".2f", "text": "0.50 [0.40, 0.60]"}
    told = [
        {"claim": f"on {on}, seeds agree.", "word": word, "reason": "r"}
        for on, word in zip(sets, words)
    ]
    return {
        "parameters": {"dataset": sets[0], "beside": sets[1]},
        "results": {"rho": result, "rho_beside": result},
        "verdicts": [{"claim": "on glyphs, other.", "word": "upheld", "reason": ""}, *told],
    }


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("upheld", "upheld"), "Yes."),
        (("upheld", "not upheld"), "Letters and digits: yes. Photographs: no."),
        (("cannot tell",), "Open."),
        ((), "Not asked with these parameters."),
    ],
)
def test_the_answer_follows_from_the_verdicts(words, answer):
    assert cards.answer(record(*words), ASKED) == answer


def test_a_card_holds_question_numbers_companions_and_verdicts():
    html = cards.card(3, record("upheld", "not upheld"), ASKED)
    for part in (
        '3. <a href="finding_9.html">Do &lt;seeds&gt; agree?</a>',
        "letters and digits: <strong>0.50 [0.40, 0.60]</strong>; above chance, below the ceiling",
        "chance 0.00, ceiling 0.70 to 0.80, 10 seeds",
        "The paper reports: about 0.01.",
        "<p>Claim: seeds agree: letters and digits ",
        'photographs <span class="lethe-mark lethe-not-upheld">not upheld</span></p>',
    ):
        assert part in html
    assert "other" not in html


def test_data_sets_of_the_reader_keep_their_names():
    text = cards.answer(record("upheld", "not upheld", sets=("pets", "glyphs")), ASKED)
    assert text == "Pets: yes. Letters and digits: no."


def test_lines_give_one_item_a_question():
    html = cards.lines({"finding_9": record("upheld")}, [ASKED, ASKED]).data
    assert html.count("<li>") == 2
    assert "<strong>Yes.</strong>" in html
