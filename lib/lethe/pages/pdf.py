"""The built book as one PDF, `make pdf`: title page, contents, every page in the order of the toc.

    python -m lethe.pages.pdf [--out DIR]

Chromium prints the pages one by one; here they are joined: links between pages lead to their place
in the file, bookmarks follow the toc, pages are numbered.
Cost: 80 s for 41 pages on two busy cores.
"""

import argparse
import io
import re
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape, unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    Fit,
    FloatObject,
    NameObject,
    NullObject,
    TextStringObject,
)

from lethe.errors import LetheError
from lethe.pages import provenance
from lethe.pages.contents import Page, pages
from lethe.pages.inspect_html import read_page
from lethe.pages.printing import Printed, chromium, print_html, print_page

ROOT = Path(__file__).resolve().parents[3]
AUTHOR = "The Lethe authors"
SUBJECT = "Which training images a fine-tuned classifier learns and then loses again"
LEFT_OUT = "Folded code and the tables of numbers behind the charts are in the HTML pages only."
FONT = NameObject("/LetheFoot")
FRONT_STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; color: #222832; margin: 0; }
.title { padding-top: 30vh; break-after: page; } h1 { font-size: 4rem; margin: 0; }
.title p { margin: 0.6rem 0; } a { color: inherit; text-decoration: none; }
h2 { margin: 0 0 1rem; } h3 { margin: 1rem 0 0.2rem; font-size: 1rem; }
.line { display: flex; justify-content: space-between; gap: 1rem; break-inside: avoid; }
"""


@dataclass(frozen=True)
class Chapter:
    """One page of the book inside the PDF: where it begins, and where its anchors are."""

    page: Page
    printed: Printed
    reader: PdfReader
    start: int  # index of its first sheet

    @cached_property
    def places(self) -> dict[str, tuple[int, float]]:
        """Sheet and height of every anchor."""
        found = {}
        for name, place in self.reader.named_destinations.items():
            sheet = self.reader.get_destination_page_number(place)
            if sheet is not None and sheet >= 0:
                found[unquote(name.lstrip("/"))] = (self.start + sheet, float(place.top or 0))
        return found


def write_pdf(html: Path, toc: Path, target: Path) -> Path:
    """Print the built book under `html` to `target` and return it.

    Raises LetheError when the book is not built, or Chromium or Playwright lacks.
    """
    listed = pages(html, toc)
    wanted = anchors(listed)
    with chromium() as browser:
        printed = []
        for number, page in enumerate(listed, start=1):
            printed.append(print_page(browser, page.path, wanted[page.path.resolve()]))
            print(f"  [{number}/{len(listed)}] {page.title}", flush=True)
        front, chapters = _with_front(browser, html, listed, printed)
    join(front, chapters).write(target)
    return target


def anchors(listed: Sequence[Page]) -> Mapping[Path, set[str]]:
    """Return the anchors of each page that any page links to."""
    found: dict[Path, set[str]] = defaultdict(set)
    for page in listed:
        for link in read_page(page.path).links:
            parts = urlsplit(link)
            if parts.fragment and not parts.scheme and not parts.netloc:
                target = page.path.parent / unquote(parts.path) if parts.path else page.path
                found[target.resolve()].add(unquote(parts.fragment))
    return found


def _with_front(
    browser: Any, html: Path, listed: Sequence[Page], printed: Sequence[Printed]
) -> tuple[PdfReader, list[Chapter]]:
    """Title and contents, printed twice: their own length moves the numbers in them."""
    readers = [PdfReader(io.BytesIO(each.data)) for each in printed]
    length = 0
    for _ in range(2):
        start, chapters = length, list[Chapter]()
        for page, each, reader in zip(listed, printed, readers, strict=True):
            chapters.append(Chapter(page, each, reader, start))
            start += len(reader.pages)
        front = PdfReader(io.BytesIO(print_html(browser, front_html(html, chapters)).data))
        length = len(front.pages)
    return front, chapters


def front_html(html: Path, chapters: Sequence[Chapter]) -> str:
    """Return the title page and the contents as HTML."""
    lines, part = [], ""
    for chapter in chapters:
        if chapter.page.part != part:
            part = chapter.page.part
            lines.append(f"<h3>{escape(part)}</h3>")
        name, address = escape(chapter.page.title), escape(chapter.page.path.resolve().as_uri())
        number = f"<span>{chapter.start + 1}</span>"
        lines.append(f'<a class="line" href="{address}"><span>{name}</span>{number}</a>')
    title = escape(chapters[0].page.title)
    words = "".join(f"<p>{line}</p>" for line in (SUBJECT, built(html), LEFT_OUT))
    return (
        f'<html lang="en"><head><style>{FRONT_STYLE}</style></head><body><div class="title">'
        f"<h1>{title}</h1>{words}</div><h2>Contents</h2>{''.join(lines)}</body></html>"
    )


def built(html: Path) -> str:
    """Return what the foot of the pages says of commit and date of the build."""
    text = (html / "search.html").read_text("utf-8") if (html / "search.html").is_file() else ""
    found = re.search(r"Built on \S+ from commit [^<]*?\.(?=\s)", text)
    return unescape(found[0]) if found else f"Commit {provenance.state()}."


def join(front: PdfReader, chapters: Sequence[Chapter]) -> PdfWriter:
    """Return one document of all sheets, with links, bookmarks, numbers and metadata."""
    writer = PdfWriter()
    for reader in (front, *(chapter.reader for chapter in chapters)):
        for page in reader.pages:
            writer.add_page(page)
    starts = {chapter.page.path.resolve(): chapter for chapter in chapters}
    _link(writer, range(len(front.pages)), None, starts)
    for chapter in chapters:
        sheets = range(chapter.start, chapter.start + len(chapter.reader.pages))
        _link(writer, sheets, chapter, starts)
        for sheet in sheets:
            _number(writer, sheet, chapter.page.title)
    _bookmarks(writer, chapters)
    _describe(writer, chapters[0].page.title)
    writer.compress_identical_objects()
    return writer


def _link(
    writer: PdfWriter, sheets: range, chapter: Chapter | None, starts: Mapping[Path, Chapter]
) -> None:
    """Turn the links of a chapter into places of this document; drop those to other files."""
    for sheet in sheets:
        page = writer.pages[sheet]
        kept = ArrayObject()
        for reference in page.get("/Annots", ArrayObject()):
            note = reference.get_object()
            inside = "/Dest" in note or str(note.get("/A", {}).get("/URI", "")).startswith("file:")
            place = _place(note, chapter, starts) if inside else None
            if place:
                note.pop("/A", None)
                note[NameObject("/Dest")] = _destination(writer, *place)
            if place or not inside:
                kept.append(reference)
        page[NameObject("/Annots")] = kept


def _place(
    note: DictionaryObject, chapter: Chapter | None, starts: Mapping[Path, Chapter]
) -> tuple[int, float | None] | None:
    """Sheet and height that a link within the book leads to; None if it is not in the PDF."""
    if "/Dest" in note:
        anchor = unquote(str(note["/Dest"]).lstrip("/"))
        return chapter.places.get(anchor) if chapter else None
    action: Any = note["/A"]
    address = urlsplit(str(action["/URI"]))
    goal = starts.get(Path(unquote(address.path)).resolve())
    if goal is None:
        return None
    return goal.places.get(unquote(address.fragment), (goal.start, None))


def _destination(writer: PdfWriter, sheet: int, height: float | None) -> ArrayObject:
    top = NullObject() if height is None else FloatObject(height)
    reference = writer.pages[sheet].indirect_reference
    return ArrayObject([reference, NameObject("/XYZ"), NullObject(), top, NullObject()])


def _number(writer: PdfWriter, sheet: int, title: str) -> None:
    """Write title and number at the foot of a sheet, in a standard font that needs no embedding."""
    page = writer.pages[sheet]
    resources: Any = page["/Resources"]
    fonts = resources.setdefault(NameObject("/Font"), DictionaryObject()).get_object()
    names = {"/Type": "/Font", "/Subtype": "/Type1", "/BaseFont": "/Helvetica"}
    names["/Encoding"] = "/WinAnsiEncoding"
    font = {NameObject(key): NameObject(value) for key, value in names.items()}
    fonts[FONT] = DictionaryObject(font)
    right = float(page.mediabox.width) - 72
    words = [(51, title), (right, f"{sheet + 1:>6}")]
    lines = b"".join(_text(x, 30, line) for x, line in words)
    before, after = DecodedStreamObject(), DecodedStreamObject()
    before.set_data(b"q\n")
    after.set_data(b"\nQ\nq 0.35 g\n" + lines + b"Q\n")
    drawn = page["/Contents"]
    own = drawn if isinstance(drawn, ArrayObject) else [page.raw_get("/Contents")]
    streams = [writer._add_object(before), *own, writer._add_object(after)]
    page[NameObject("/Contents")] = ArrayObject(streams)


def _text(x: float, y: float, words: str) -> bytes:
    """Operators that show words at a place, in points from the lower left corner."""
    plain = re.sub(rb"([\\()])", rb"\\\1", words.encode("cp1252", "replace"))
    return b"BT %s 8 Tf %.1f %.1f Td (%s) Tj ET\n" % (FONT.encode(), x, y, plain)


def _bookmarks(writer: PdfWriter, chapters: Sequence[Chapter]) -> None:
    """Add part, page and section to the outline."""
    part, parent = "", None
    for chapter in chapters:
        if chapter.page.part != part:
            part = chapter.page.part
            parent = writer.add_outline_item(title=part, page_number=chapter.start, bold=True)
        item = writer.add_outline_item(
            title=chapter.page.title, page_number=chapter.start, parent=parent, is_open=False
        )
        places = chapter.places
        for anchor, heading in chapter.printed.sections:
            if anchor in places:
                sheet, height = places[anchor]
                fit = Fit.xyz(None, height)
                writer.add_outline_item(title=heading, page_number=sheet, parent=item, fit=fit)


def _describe(writer: PdfWriter, title: str) -> None:
    stamp = time.strftime("D:%Y%m%d%H%M%S+00'00'", time.gmtime(provenance.now()))
    facts = {"/Title": title, "/Author": AUTHOR, "/Subject": SUBJECT, "/CreationDate": stamp}
    writer.add_metadata(facts | {"/Producer": f"Chromium, pypdf, commit {provenance.commit()}"})
    root = writer.root_object
    root[NameObject("/Lang")] = TextStringObject("en")
    preferences: Any = writer.create_viewer_preferences()
    preferences.display_doctitle = True
    writer.page_mode = "/UseOutlines"


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lethe.pages.pdf")
    parser.add_argument("--out", type=Path, default=ROOT / "_build", help="where the book is built")
    out = parser.parse_args(arguments).out
    try:
        toc = out / "source" / "book" / "_toc.yml"
        target = write_pdf(out / "html", toc, out / "lethe.pdf")
    except LetheError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"== {target} ({target.stat().st_size / 1e6:.0f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
