"""The structure of an open page: language, headings, names of pictures and charts, tables."""

import itertools
import json
import re

from browser_open import Visit

HASH = re.compile(r"[0-9a-f]{24,}")
SPEC = re.compile(r"\(document\.currentScript\.previousElementSibling,(\{.*?\})\);</script>")
LOOK = """() => {
  const text = element => (element.getAttribute('aria-label') || element.textContent).trim();
  const charts = [...document.querySelectorAll('.lethe-chart')].map(box => ({
    title: box.previousElementSibling?.textContent.trim(),
    name: box.matches('[role=graphics-document]') ? box.getAttribute('aria-label') : '',
    marks: box.querySelectorAll('svg.marks [class*=role-mark] *').length,
    rows: [...(box.parentElement.querySelectorAll('details.lethe-table table') || [])]
      .map(table => table.tBodies[0].rows.length),
    labels: [...box.querySelectorAll('.vega-bind')].map(bind => bind.textContent.trim()),
    error: box.textContent.includes('Error'),
  }));
  const headings = [...document.querySelectorAll('main :is(h1, h2, h3, h4, h5, h6)')]
    .filter(heading => heading.checkVisibility() || heading.closest('.toggle-hidden, details'));
  return {
    lang: document.documentElement.lang,
    title: document.title,
    headings: headings.map(h => [Number(h.tagName[1]), h.textContent.trim()]),
    images: [...document.querySelectorAll('main img')].map(i => i.getAttribute('alt')),
    heads: [...document.querySelectorAll('main table')].filter(t => !t.querySelector('th')).length,
    skip: document.querySelector('.skip-link a')?.getAttribute('href'),
    charts,
  };
}"""


def wrong(seen: Visit) -> list[str]:
    """One line for each thing that is missing or out of order."""
    found = seen.page.evaluate(LOOK)
    problems = [] if found["lang"] == "en" else [f"language {found['lang']!r}"]
    problems += [] if found["title"].strip() else ["no title"]
    problems += _headings(found["headings"])
    problems += [f"picture named {alt!r}" for alt in found["images"] if not _says(alt)]
    problems += [f"{found['heads']} tables without a header"] if found["heads"] else []
    for number, chart in enumerate(found["charts"], 1):
        problems += [f"chart {number} {problem}" for problem in _chart(chart)]
    return problems


def _headings(headings: list[tuple[int, str]]) -> list[str]:
    levels = [level for level, _ in headings]
    problems = [] if levels.count(1) == 1 else [f"{levels.count(1)} headings of level 1"]
    for (above, _), (level, words) in itertools.pairwise(headings):
        if level > above + 1:
            problems.append(f"heading {words!r} of level {level} after one of level {above}")
    return problems


def _says(words: str | None) -> bool:
    return bool(words and words.strip() and not HASH.search(words))


def _chart(chart: dict) -> list[str]:
    problems = [] if len(chart["name"]) > 20 and _says(chart["name"]) else ["has no description"]
    problems += [] if chart["title"] else ["has no title"]
    problems += [] if chart["marks"] else ["has no marks"]
    problems += ["says Error"] if chart["error"] else []
    problems += [] if chart["rows"] and all(chart["rows"]) else ["has no table of its numbers"]
    problems += ["has an input without a label"] if not all(chart["labels"]) else []
    return problems


def mouse_only(html: str) -> list[str]:
    """One line for each chart that can be picked from with the mouse but has no input."""
    problems = []
    for number, code in enumerate(SPEC.findall(html), 1):
        params = list(_params(json.loads(code)))
        if any("select" in p for p in params) and not any(_input(p.get("bind")) for p in params):
            problems.append(f"chart {number} reacts to the mouse only")
    return problems


def _params(part):
    """All parameters of a specification, at any depth."""
    if isinstance(part, list):
        for one in part:
            yield from _params(one)
    elif isinstance(part, dict):
        yield from part.get("params", [])
        for key in ("layer", "hconcat", "vconcat", "concat", "spec"):
            yield from _params(part.get(key, []))


def _input(bind) -> bool:
    """Whether a binding makes an input on the page, for one field or for each."""
    return isinstance(bind, dict) and ("input" in bind or any(map(_input, bind.values())))
