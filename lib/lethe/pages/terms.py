"""Sphinx extension: the first mention of a glossary term on a page leads to the glossary.

The definition is taken from the glossary and stands in the link's title; `terms.js` shows it on
hover, on focus and on tap. Linked is running text only: no headings, code, formulas, table heads,
links or folded solutions, and not the glossary itself. Everyday words (`lethe_unlinked_terms` in
`_config.yml`) are never linked. The text reads as before. Cost: about 10 ms a page.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from docutils import nodes
from sphinx import addnodes

CLASS = "lethe-term"
IRREGULAR = {"half-life": "half-lives"}
QUIET = (
    *(nodes.title, nodes.subtitle, nodes.rubric, nodes.caption, nodes.term, nodes.thead),
    *(nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw, nodes.comment),
    *(nodes.reference, nodes.citation, nodes.footnote, nodes.label, nodes.topic, nodes.sidebar),
    *(addnodes.pending_xref, addnodes.glossary, addnodes.toctree),
)


@dataclass(frozen=True)
class Entry:
    """Where a term is defined, and how."""

    term: str
    page: str
    anchor: str
    definition: str


def entries(page: str, doctree: nodes.document) -> Iterator[Entry]:
    """Yield every term of the glossaries on one page; terms that share a definition apart."""
    for glossary in doctree.findall(addnodes.glossary):
        for item in glossary.findall(nodes.definition_list_item):
            meaning = _plain(next(item.findall(nodes.definition)))
            for term in item.findall(nodes.term):
                yield Entry(_words(term), page, term["ids"][0], meaning)


def _words(term: nodes.term) -> str:
    """A term as it reads, without what the index adds to it."""
    return "".join(child.astext() for child in term if not isinstance(child, addnodes.index))


def _plain(definition: nodes.definition) -> str:
    """A definition in words, without its link to more."""
    kept = definition.deepcopy()
    for link in [*kept.findall(nodes.reference), *kept.findall(addnodes.pending_xref)]:
        if link.astext() == "More":
            link.parent.remove(link)
    return " ".join(kept.astext().split()).rstrip(" .") + "."


def plural(word: str) -> str:
    """Return the plural of a term's last word."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if re.search(r"(s|x|ch|sh)$", word):
        return f"{word}es"
    return re.sub(r"y$", "ies", word) if re.search(r"[^aeiou]y$", word) else f"{word}s"


def pattern(names: Iterable[str]) -> re.Pattern[str]:
    """Return the expression that finds any of the terms, the longest first, as whole words."""
    forms = sorted((_form(term) for term in names), key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(forms)})(?![\w-])")


def _form(term: str) -> str:
    """A term in singular and plural; names in capitals (ICC) must match in their case."""
    first, last = re.escape(term), re.escape(plural(term))
    spaced = rf"{first}|{last}".replace(r"\ ", r"\s+").replace("’", "'").replace("'", "['’]")
    return f"(?:{spaced})" if is_name(term) else f"(?i:{spaced})"


def is_name(term: str) -> bool:
    """Whether a term has a word in capitals, such as FLOW, which is not a flow."""
    return bool(re.search(r"\b[A-Z][A-Z0-9]+\b", term))


def key(words: str) -> str:
    """Return what a term and its mention have in common: case, spaces and apostrophes apart."""
    return " ".join(words.replace("’", "'").lower().split())


def mark(doctree: nodes.document, known: dict[str, Entry], address: str) -> list[str]:
    """Link the first mention of each term in a page and return the terms linked, in their order.

    known: entry by key; address: of the glossary as seen from the page. Changes `doctree`.
    """
    found = pattern(entry.term for entry in known.values())
    names = {key(form): entry for entry in known.values() for form in _spellings(entry)}
    linked: dict[str, str] = {}  # term by definition: two names of one thing are linked once
    for text in list(doctree.findall(nodes.Text)):
        if not _is_quiet(text):
            _mark_text(text, found, names, address, linked)
    return list(linked.values())


def _spellings(entry: Entry) -> tuple[str, str]:
    return entry.term, plural(entry.term)


def _is_quiet(text: nodes.Text) -> bool:
    """Whether a text stands where no link should, or is folded away."""
    parent, inside = text.parent, False
    while parent is not None:
        if isinstance(parent, QUIET) or "dropdown" in parent.get("classes", ()):
            return True
        inside |= isinstance(parent, (nodes.paragraph, nodes.line, nodes.attribution))
        parent = parent.parent
    return not inside


def _mark_text(
    text: nodes.Text,
    found: re.Pattern[str],
    names: dict[str, Entry],
    address: str,
    linked: dict[str, str],
) -> None:
    whole, new, position = text.astext(), [], 0
    for match in found.finditer(whole):
        entry = names[key(match[0])]
        if entry.definition in linked:
            continue
        linked[entry.definition] = entry.term
        new += [nodes.Text(whole[position : match.start()]), _link(match[0], entry, address)]
        position = match.end()
    if new:
        new.append(nodes.Text(whole[position:]))
        text.parent.replace(text, [node for node in new if node.astext()])


def _link(words: str, entry: Entry, address: str) -> nodes.reference:
    target = f"{address}#{entry.anchor}"
    options = {"internal": True, "refuri": target, "reftitle": entry.definition}
    return nodes.reference("", words, classes=[CLASS], **options)


def known_terms(app: Any) -> dict[str, Entry]:
    """Return the entries of all glossaries of the book by key, without the unlinked words."""
    if not hasattr(app, "lethe_terms"):
        objects = app.env.get_domain("std").objects
        pages = sorted({page for (kind, _), (page, _) in objects.items() if kind == "term"})
        every = [entry for page in pages for entry in entries(page, app.env.get_doctree(page))]
        unlinked = {key(term) for term in app.config.lethe_unlinked_terms}
        kept = {key(entry.term): entry for entry in every if key(entry.term) not in unlinked}
        app.lethe_terms = kept
    return app.lethe_terms


def on_resolved(app: Any, doctree: nodes.document, page: str) -> None:
    """Mark the terms of one page of HTML."""
    known = known_terms(app)
    if app.builder.format != "html" or not known or page in {e.page for e in known.values()}:
        return
    home = next(iter(known.values())).page
    mark(doctree, known, app.builder.get_relative_uri(page, home))


def setup(app: Any) -> dict[str, bool]:
    """Register the extension, its list of unlinked words and its script."""
    app.add_config_value("lethe_unlinked_terms", [], "env", [list])
    app.add_js_file("terms.js", loading_method="defer")
    app.connect("doctree-resolved", on_resolved)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
