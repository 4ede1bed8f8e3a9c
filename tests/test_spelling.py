"""Spelling of all prose: an English dictionary, and the book's own words in `words.txt`.

Code, formulas, links and roles are left out. A word that is right and unknown is added to the list.
"""

import re
from functools import cache
from pathlib import Path

import jupytext
import pytest
from spellchecker import SpellChecker

ROOT = Path(__file__).parents[1]
SOURCES = [
    *sorted(ROOT.glob("book/*.md")),
    ROOT / "README.md",
    *sorted(ROOT.glob("notebooks/*.py")),
]
WORD = re.compile(r"[A-Za-zÀ-ÿ]+(?:['’][a-z]+)?")
LEFT_OUT = [
    r"(?ms)^ *(`{3,}|:{3,})(?!\{(?:admonition|note|tip|warning|glossary)).*?^ *\1\s*$",  # code
    r"(?s)\$\$.*?\$\$|\$[^$\n]*\$",  # formulas
    r"(?s)<!--.*?-->|<[^>\n]*>",
    r"`[^`\n]*`",
    r"\{[\w:-]+\}",  # names of roles and directives
    r"\]\([^)]*\)|https?://\S+|^\(\w[\w-]*\)=$",  # addresses and targets
    r"\[[A-Z]\]",  # tags of evidence
]
AMERICAN_ONLY = {"color", "colors", "behavior", "behaviors", "gray", "modeling", "labeled"}
AMERICAN_ONLY |= {"labeling", "center", "centered", "neighbor", "neighbors", "license", "licenses"}


def prose(path: Path) -> str:
    """The text of a page; of a notebook, its Markdown cells."""
    if path.suffix == ".md":
        return path.read_text("utf-8")
    cells = jupytext.read(path).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def words(text: str) -> set[str]:
    """The words of a text in lower case, without those of code and formulas."""
    for pattern in LEFT_OUT:
        text = re.sub(pattern, " ", text, flags=re.MULTILINE)
    found = (word.lower().replace("’", "'").removesuffix("'s") for word in WORD.findall(text))
    return {word for word in found if len(word) > 1}


@cache
def dictionary() -> SpellChecker:
    checker = SpellChecker()
    checker.word_frequency.load_words(own_words())
    return checker


def own_words() -> list[str]:
    return (ROOT / "tests" / "words.txt").read_text("utf-8").split()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_word_is_known(path):
    unknown = sorted(dictionary().unknown(words(prose(path))))
    close = {word: sorted(dictionary().candidates(word) or [])[:3] for word in unknown}
    assert not close, f"misspelt, or to be added to tests/words.txt: {close}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_spelling_is_british(path):
    assert not words(prose(path)) & AMERICAN_ONLY


def test_the_list_is_sorted_and_holds_what_is_used_and_nothing_else():
    listed = own_words()
    assert listed == sorted(set(listed))
    used = set().union(*(words(prose(path)) for path in SOURCES))
    assert not set(listed) - used, "no longer used"
    assert not set(listed) - SpellChecker().unknown(listed), "known without the list"


def test_a_misspelt_word_is_found_and_code_is_not_read():
    text = "A forgoten image, `forgoten` and $forgoten$.\n\n```\nforgoten\n```\n"
    assert dictionary().unknown(words(text)) == {"forgoten"}
    assert words("```\nforgoten\n```\n") == set()
