"""Notebooks of a course: nothing given away, nothing else lost, marks that tell what was said."""

import ast
import re

import nbformat
import pytest

from lethe.errors import LetheError
from lethe.pages import kit, marks, student
from lethe.pages.student import answered, exercises, for_instructors, for_students, has_tag, plain

PAGE = """# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A page
#
# **Time**: 5 minutes to read. See {cite:p}`daga2026forgetting`, [that page](other.ipynb),
# [definitions](../book/x.md).

# %% tags=["remove-cell"]
from lethe.pages import exercises

# %% tags=["parameters"]
size: int = 3  # how many

# %% [markdown]
# ## Exercises
#
# **Exercise 1** (level 1, read off). How many?
#
# ```{admonition} Solution
# :class: dropdown
# Three, because `size` is 3.
# ```

# %% tags=["solution", "hide-cell"]
half = size / 2
answer_1 = half * 2

# %% tags=["check"]
exercises.check(1, answer_1, size, hint="look at the parameters")

# %% [markdown]
# **Exercise 2** (level 2, compute). Two names.
#
# ```{admonition} Solution
# :class: dropdown
# They belong together.
# ```

# %% tags=["solution", "hide-cell"]
answer_2, spare = 2 * size, None

# %% tags=["check"]
exercises.check(2, answer_2, 2 * size, hint="twice")

# %% [markdown]
# **Exercise 3** (level 3, investigate). In words: why?
#
# ````{admonition} Solution
# :class: dropdown
# Because.
# ```
# code
# ```
# ````
#
# ## Rerun this page
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "tiny.py").write_text(PAGE)
    (tmp_path / "notebooks" / "plain.py").write_text("# %% [markdown]\n# # No exercises\n")
    return tmp_path


@pytest.fixture
def page(root):
    return student.pages(["tiny"], root)["tiny"]


def text(notebook, kind="markdown"):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == kind)


def test_exercises_are_read_with_their_answers(page):
    first, second, third = exercises(page)
    assert (first.number, first.level, first.question) == (1, 1, "How many?")
    assert first.answer == "Three, because `size` is 3."
    assert first.code.endswith("answer_1 = half * 2")
    assert second.code.startswith("answer_2, spare")
    assert "code" in third.answer
    assert third.code == ""
    assert "Rerun" not in third.answer + third.question


def test_students_get_dots_and_no_solution(page):
    open_ = for_students(page)
    assert "answer_1 = ...  # your answer" in text(open_, "code")
    assert "half" not in text(open_, "code")
    for gone in ("Solution", "Three, because", "Because.", "belong together"):
        assert gone not in text(open_)
    for kept in ("How many?", "Two names.", "In words: why?", "## Rerun this page"):
        assert kept in text(open_)
    assert text(open_).count("*Your answer:*") == 1


def test_instructors_get_everything(page):
    full = for_instructors(page)
    assert text(full, "code") == text(page, "code")
    assert "Three, because" in text(full)


def test_jupyterlab_shows_no_raw_roles_and_no_dead_links(page):
    words = text(for_students(page, ["other"]))
    assert "(Daga 2026)" in words
    assert "[that page](other.ipynb)" in words
    assert "(../book" not in words
    assert "definitions" in words
    assert "other.ipynb" not in text(for_students(page))
    boxed = plain("before\n\n```{note}\n:class: tip\nText.\n```\n\nafter")
    assert boxed == "before\n\n> **Note**\n>\n> Text.\n\nafter"
    assert plain("![alt](picture.png) {ref}`words <there>`") == "![alt](picture.png) words"


def test_set_up_cells_are_folded_in_jupyterlab(page):
    folded = [c for c in for_students(page).cells if c.metadata.get("jupyter")]
    assert [cell.source[:8] for cell in folded] == ["from let", "exercise", "exercise"]


def test_both_sets_are_valid_equal_when_repeated_and_replace_old_ones(root):
    for kind in kit.SETS:
        out = kit.build(kind, root=root)
        first = {path.name: path.read_bytes() for path in out.iterdir()}
        (out / "mine.txt").write_text("kept")
        kit.build(kind, root=root)
        assert {name: (out / name).read_bytes() for name in first} == first
        assert (out / "mine.txt").exists()
        nbformat.validate(nbformat.read(out / "tiny.ipynb", as_version=4))
        assert "| [A page](tiny.ipynb) | 5 minutes to read | 1, 1, 1 |" in (
            out / "README.md"
        ).read_text("utf-8")
    assert "**3.** (level 3) In words: why?" in (out / "answers.md").read_text("utf-8")
    assert not (root / "_build" / "student" / "answers.md").exists()


def test_unknown_pages_and_sets_are_refused(root):
    with pytest.raises(LetheError, match="did you mean 'tiny'"):
        kit.build("student", root=root, chosen=["tyny"])
    with pytest.raises(LetheError, match="'plain' has no exercises"):
        kit.build("student", root=root, chosen=["plain"])
    with pytest.raises(LetheError, match="did you mean 'student'"):
        kit.build("students", root=root)


def hand_in(folder, root, name, **changes):
    """A student's notebook with some of its text changed."""
    kit.build("student", folder / name, root=root)
    path = folder / name / "tiny.ipynb"
    source = path.read_text("utf-8")
    for old, new in changes.values():
        assert old in source
        source = source.replace(old, new)
    path.write_text(source, "utf-8")


ONE = "answer_1 = ...  # your answer"


def test_marks_say_what_the_check_cells_said(root, tmp_path):
    handed = tmp_path / "handed in"
    hand_in(handed, root, "ann", a=(ONE, "answer_1 = 3.0"))
    hand_in(handed, root, "bob", a=(ONE, "answer_1 = 'three'"))
    hand_in(handed, root, "cy", a=("> *Your answer:*", "> *Your answer:* since it is so"))
    hand_in(handed, root, "dee", a=(ONE, "answer_1 = missing_import(3)"))
    forged = ONE + "\\nexercises.check = lambda *a, **k: print('Exercise 1: correct.')"
    hand_in(handed, root, "eve", a=(ONE, forged.replace("= ...", "= 5")))
    hand_in(handed, root, "flo", a=("exercises.check(2, answer_2", "print(2, answer_2"))
    table = marks.mark(handed, root).set_index(["notebook", "exercise"])
    result, told = table["result"], table["told"]
    assert result["ann/tiny.ipynb", 1] == "correct"
    assert result["bob/tiny.ipynb", 1] == "not yet"
    assert "type str" in told["bob/tiny.ipynb", 1]
    assert result["cy/tiny.ipynb", 1] == "not answered yet"
    assert (result["cy/tiny.ipynb", 3], told["cy/tiny.ipynb", 3]) == ("in words", "since it is so")
    assert result["dee/tiny.ipynb", 1] == "not reached"
    assert told["dee/tiny.ipynb", 1] == "NameError: name 'missing_import' is not defined"
    assert result["eve/tiny.ipynb", 1] == "not yet"
    assert result["flo/tiny.ipynb", 2] == "not handed in"
    assert table["level"].tolist() == [1, 2, 3] * 6


def test_a_check_cell_that_was_changed_is_put_back(page):
    notebook = for_students(page)
    check = next(cell for cell in notebook.cells if has_tag(cell, "check"))
    check.source = "exercises.check(1, 3, 3, hint='')"
    marks.put_back(notebook, for_students(page))
    assert "answer_1, size" in check.source


def test_what_cannot_be_marked_does_not_stop_the_others(root, tmp_path):
    with pytest.raises(LetheError, match="no notebooks"):
        marks.mark(tmp_path / "empty", root)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "tiny.ipynb").write_text("hello")
    (tmp_path / "x" / "other.ipynb").write_text("hello")
    table = marks.mark(tmp_path / "x", root)
    assert table["result"].tolist() == ["no such page", "not a notebook"]


REAL = student.pages()


@pytest.mark.parametrize("name", REAL)
def test_no_page_gives_its_answers_away(name):
    page, open_ = REAL[name], for_students(REAL[name], REAL)
    numbers = [e.number for e in exercises(page)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "Solution" not in text(open_)
    for cell in (cell for cell in page.cells if has_tag(cell, "solution")):
        assert cell.source not in text(open_, "code")
    dots = re.findall(r"^answer_(\d+) = \.\.\.", text(open_, "code"), re.MULTILINE)
    coded = [n for c in page.cells if has_tag(c, "solution") for n in answered(c)]
    assert list(map(int, dots)) == coded
    ast.parse(text(open_, "code"))


@pytest.mark.parametrize("name", REAL)
def test_every_exercise_of_a_page_has_an_answer(name):
    for exercise in exercises(REAL[name]):
        assert exercise.question
        assert exercise.answer, f"exercise {exercise.number} has no solution in words"


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_a_students_notebook_runs_with_nothing_answered(name, tmp_path):
    out = kit.build("student", tmp_path, [name])
    table = marks.mark(out)
    assert set(table["result"]) <= {"not answered yet", "in words"}, table.to_string()


def test_a_short_students_notebook_runs_with_nothing_answered(tmp_path):
    test_a_students_notebook_runs_with_nothing_answered("glyphs", tmp_path)


def test_the_page_itself_is_not_touched(page):
    before = nbformat.writes(page)
    for_students(page)
    for_instructors(page)
    assert nbformat.writes(page) == before
