"""lethe.pages.exercises: right, wrong and open answers, and what is said of each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from lethe.pages.exercises import SLIPS, WrongAnswer, check, check_that

SLIPS = tuple(slip.strip() for slip in SLIPS)
HINT = "share both, over share either"


def told(answer, expected, **more):
    with pytest.raises(WrongAnswer) as error:
        check(2, answer, expected, hint=HINT, **more)
    return str(error.value)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (0.111, 1 / 9),
        (np.float32(0.1112), 1 / 9),
        ([1, 2, np.nan], np.array([1.0, 2.0, np.nan])),
        ("cannot tell", "cannot tell"),
        ({1, 2}, {2, 1}),
        (True, np.bool_(True)),
        ({"top": 0.75, "bottom": 0.25}, {"bottom": 0.25, "top": 0.75}),
    ],
)
def test_right_answers(answer, expected, capsys):
    check(2, answer, expected, within=0.001, hint=HINT)
    assert capsys.readouterr().out == "Exercise 2: correct.\n"


def test_an_open_answer_lets_the_notebook_run_on(capsys):
    check(2, ..., 1, hint=HINT)
    check_that(3, ..., lambda x: x / 0, hint=HINT)
    assert capsys.readouterr().out.count("not answered yet") == 2


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        ("0.1", 0.1, "type str, and a number is asked for"),
        ([0.1, 0.2], 0.1, "shape is (2,), and a number is asked for"),
        ([1, 2], np.zeros(3), "an array of shape (3,) is asked for"),
        ([np.nan, 2], [1, 2], "1 of its values are missing"),
        (-0.5, 0.5, "sign"),
        (50, 0.5, "factor of 100"),
        ([1, 9, 3], [1, 2, 3], "2 of 3 values are right"),
        (0.766, 0.76638, "It is close"),
        (float("nan"), 0.5, "It is missing (NaN)"),
        (0.5, [1, 2], "It is one number, and an array of shape (2,) is asked for"),
        ({"top": 1}, {"top": 1, "bottom": 0}, "lacks bottom"),
        ({"top": 1, "bottom": 1}, {"top": 1, "bottom": 0}, "Look again at bottom"),
        (3, "upheld", "type int, not str"),
        ("upheld", "not upheld", "not yet. Hint"),
        (None, 0.1, "type NoneType"),
        (1, True, "type int, not bool"),
    ],
)
def test_a_wrong_answer_is_told_what_is_wrong(answer, expected, words):
    text = told(answer, expected)
    assert words in text
    assert (HINT in text) == (not text.endswith(SLIPS))


def test_entries_within_the_tolerance_are_not_blamed():
    text = told({"top": 0.751, "bottom": 0.9}, {"top": 0.75, "bottom": 0.25}, within=0.01)
    assert "Look again at bottom." in text


def test_a_hint_that_asks_keeps_its_question_mark():
    with pytest.raises(WrongAnswer, match=r"Hint: how many\?$"):
        check(1, 2, 3, hint="how many?")


def test_a_common_mistake_is_named():
    text = told(0.04, 1 / 9, within=0.001, traps={"that is the share in both": 0.04})
    assert text == "Exercise 2: not yet. That is the share in both."
    assert "share in both" not in told(0.05, 1 / 9, within=0.001, traps={"that is it": 0.04})


def test_a_property_is_asked_of_the_answer(capsys):
    check_that(3, np.zeros((4, 2)), lambda x: x[:, 1] == 0, hint=HINT)
    assert "correct" in capsys.readouterr().out
    for answer in (np.ones((4, 2)), "text", 5):
        with pytest.raises(WrongAnswer, match=HINT):
            check_that(3, answer, lambda x: x[:, 1] == 0, hint=HINT)
    with pytest.raises(WrongAnswer, match="type list, not dict"):
        check_that(3, [], lambda x: True, hint=HINT, kind=dict)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 10))
def test_the_tolerance_is_absolute(value, within):
    check(1, value + within / 2, value, within=within, hint=HINT)
    with pytest.raises(WrongAnswer):
        check(1, value + 2 * within, value, within=within, hint=HINT)


def test_jupyter_shows_no_traceback(capsys):
    shell = InteractiveShell.instance()
    done = shell.run_cell("from lethe.pages.exercises import check\ncheck(1, 2, 3, hint='count')")
    assert isinstance(done.error_in_exec, WrongAnswer)
    shown = capsys.readouterr().out
    assert "Exercise 1: not yet. Hint: count." in shown
    assert "Traceback" not in shown
