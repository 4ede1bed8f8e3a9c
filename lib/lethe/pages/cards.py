"""Findings on cards: a question, its answer in words, the numbers behind it, the verdicts.

Answers are chosen by verdicts, never written by hand, so a card stays true on other traces.
Cost: milliseconds; the pages have been executed before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from IPython.display import HTML

from lethe.pages.book import CANNOT_TELL, NOT_UPHELD, UPHELD, Result, words
from lethe.pages.verdicts import Record, by_claim, headline, mark, placed, spoken


@dataclass(frozen=True)
class Asked:
    """A question that the page `page` answers.

    `claim` is how the deciding claim begins, `said` the answer for each verdict on it; `key` is the
    number shown, `what` its name, `paper` what the paper reports.
    """

    page: str
    question: str
    claim: str
    said: tuple[str, str, str]  # upheld, not upheld, cannot tell
    key: str = ""
    what: str = ""
    paper: str = ""
    also: tuple[tuple[str, str], ...] = ()  # further numbers: key, what it is

    def answer(self, word: str) -> str:
        """The answer that a verdict gives."""
        return dict(zip((UPHELD, NOT_UPHELD, CANNOT_TELL), self.said, strict=True))[word]


def deciding(record: Record, claim: str) -> dict[str, dict[str, str]]:
    """The verdicts, by data set, on the first claim that begins with `claim`; else none."""
    return next((v for text, v in by_claim(record).items() if text.startswith(claim)), {})


def answer(record: Record, asked: Asked) -> str:
    """The answer in words, once if all data sets give the same."""
    told = {on: asked.answer(v["word"]) for on, v in deciding(record, asked.claim).items()}
    if len(set(told.values())) <= 1:
        return f"{next(iter(told.values()), 'Not asked with these parameters')}."
    return " ".join(f"{_sentence(spoken(on))}: {_lower(said)}." for on, said in told.items())


def card(number: int, record: Record, asked: Asked) -> str:
    """One finding as HTML."""
    lines = "".join(_number(on, r) for on, r in headline(record, asked.key).items())
    lines += "".join(_further(record, key, what) for key, what in asked.also)
    return (
        f'<div class="lethe-card"><p class="lethe-card-title">{number}. '
        f'<a href="{asked.page}.html">{escape(asked.question)}</a></p>'
        f'<p class="lethe-card-answer">{escape(answer(record, asked))}</p>'
        f"<p>{escape(_sentence(asked.what))}:</p><ul>{lines}</ul>"
        f'<p class="lethe-card-paper">The paper reports: {escape(asked.paper)}.</p>'
        f"{_judged(record, asked)}</div>"
    )


def _judged(record: Record, asked: Asked) -> str:
    """The claim that decides, once, and the verdict on each data set."""
    found = deciding(record, asked.claim)
    if not found:
        return ""
    claim = next(words for words in by_claim(record) if words.startswith(asked.claim))
    marks = ", ".join(f"{escape(spoken(on))} {mark(v['word'])}" for on, v in found.items())
    return f"<p>Claim: {escape(claim.rstrip('.'))}: {marks}</p>"


def _further(record: Record, key: str, what: str) -> str:
    numbers = headline(record, key)
    told = ", ".join(f"{escape(spoken(on))} {r}" for on, r in numbers.items())
    return f"<li>{escape(what)}: {told}</li>" if numbers else ""


def _number(dataset: str, result: Result) -> str:
    """One number with where it lies, and what it lies between."""
    bands = {"chance": result.null, "ceiling": result.ceiling}
    told = [f"{name} {words(band, result.fmt)}" for name, band in bands.items() if band is not None]
    where = f"; {placed(result)}" if placed(result) else ""
    return (
        f"<li>{escape(spoken(dataset))}: <strong>{result}</strong>{where} "
        f"<small>({', '.join([*told, f'{result.n_seeds} seeds'])})</small></li>"
    )


def cards(found: Mapping[str, Record], asked: Sequence[Asked]) -> HTML:
    """All cards in a grid, one below the other on a phone."""
    inner = "".join(card(k, found[a.page], a) for k, a in enumerate(asked, start=1))
    return HTML(f'<div class="lethe-cards">{inner}</div>')


def lines(found: Mapping[str, Record], asked: Sequence[Asked]) -> HTML:
    """Further questions, one line each: question, answer, the claim that decides, its verdict."""
    items = "".join(_line(found[a.page], a) for a in asked)
    return HTML(f'<ul class="lethe-lines">{items}</ul>')


def _line(record: Record, asked: Asked) -> str:
    judged = list(deciding(record, asked.claim).values())[:1]
    why = "".join(f" {mark(v['word'])} {escape(v['claim'])}" for v in judged)
    return (
        f'<li><a href="{asked.page}.html">{escape(asked.question)}</a> '
        f"<strong>{escape(answer(record, asked))}</strong><br/><small>{why}</small></li>"
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
