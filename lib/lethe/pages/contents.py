"""The pages of a built book in the order of its table of contents, with their titles.

Cost: about 5 ms a page.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from sphinx_external_toc.parsing import SiteMap, parse_toc_yaml

from lethe.errors import LetheError

NOT_BUILT = "no built book in {}: run `make book` first"


@dataclass(frozen=True)
class Page:
    """One page: its file, its title, and the part of the book that it belongs to."""

    path: Path
    title: str
    part: str = ""


def pages(html: Path, toc: Path) -> list[Page]:
    """Return the pages under `html` in the order of `toc`, a `_toc.yml`.

    Raises LetheError when the book is not built, or a page of the list is missing.
    """
    if not (html / "index.html").is_file():
        raise LetheError(NOT_BUILT.format(html))
    names = list(_listed(parse_toc_yaml(toc)))
    missing = [name for name, _ in names if not (html / f"{name}.html").is_file()]
    if missing:
        raise LetheError(f"{html} lacks {', '.join(missing)}: run `make book` again")
    return [Page(html / f"{name}.html", title(html / f"{name}.html"), part) for name, part in names]


def _listed(book: SiteMap) -> Iterator[tuple[str, str]]:
    """Name and part of every page, depth first; sections of a chapter belong to its part."""
    yield book.root.docname, ""
    for tree in book.root.subtrees:
        for name in tree.items:
            yield from ((below, tree.caption or "") for below in _below(book, str(name)))


def _below(book: SiteMap, name: str) -> Iterator[str]:
    yield name
    for tree in book[name].subtrees:
        for section in tree.items:
            yield from _below(book, str(section))


def title(page: Path) -> str:
    """Return the first heading of a page in words, or its file name if it has none."""
    heading = re.search(
        r"<h1>(.*?)(?:<a class=\"headerlink\"|</h1>)", page.read_text("utf-8"), re.S
    )
    return unescape(re.sub(r"<[^>]+>", "", heading[1])).strip() if heading else page.stem
