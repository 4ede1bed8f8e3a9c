"""lethe.pages.pdf and printing: the book as one file, from a book of four pages."""

import subprocess
import sys

import pytest
from pypdf import PdfReader

from lethe.pages import pdf

CHAPTERS = ["Small book", "The second page", "Glossary", "Status"]


@pytest.fixture(scope="module")
def made(small_book, browser):
    """The PDF, made by the command: Playwright allows one driver in a process."""
    command = [sys.executable, "-W", "error::DeprecationWarning:lethe", "-m", "lethe.pages.pdf"]
    command += ["--out", str(small_book)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Deprecation" not in done.stderr
    return PdfReader(small_book / "lethe.pdf")


@pytest.fixture(scope="module")
def texts(made):
    return [page.extract_text() for page in made.pages]


def outline(reader, items=None, depth=0):
    """Depth, title and sheet of all bookmarks."""
    found = []
    for item in reader.outline if items is None else items:
        if isinstance(item, list):
            found += outline(reader, item, depth + 1)
        else:
            found.append((depth, item.title, reader.get_destination_page_number(item)))
    return found


def links(reader):
    """Source sheet, target sheet and height of all links inside the file; addresses of the rest."""
    inside, outside = [], []
    numbers = {page.indirect_reference.idnum: n for n, page in enumerate(reader.pages)}
    for number, page in enumerate(reader.pages):
        for note in page.get("/Annots", []):
            note = note.get_object()
            if "/Dest" in note:
                goal = note["/Dest"]
                inside.append(
                    (number, numbers[goal[0].get_object().indirect_reference.idnum], goal[3])
                )
            else:
                outside.append(str(note["/A"]["/URI"]))
    return inside, outside


def sheet(texts, words):
    return next(n for n, text in enumerate(texts) if words in text)


def test_title_and_contents_come_first(texts):
    assert "Small book" in texts[0]
    assert "Built on 1970-01-02 from commit abc123." in texts[0]
    assert "Contents" in texts[1]
    for chapter in CHAPTERS:
        assert chapter in texts[1]


def test_bookmarks_follow_the_table_of_contents(made, texts):
    found = outline(made)
    assert [(depth, title) for depth, title, _ in found] == [
        (0, "Small book"),
        (0, "First part"),
        (1, "The second page"),
        (2, "Near"),
        (2, "Far away"),
        (0, "Last part"),
        (1, "Glossary"),
        (1, "Status"),
    ]
    places = {title: number for _, title, number in found}
    assert places["Far away"] == sheet(texts, "Here the far place is")
    assert places["Glossary"] == sheet(texts, "all random choices")
    assert places["Near"] < places["Far away"]


def test_links_between_pages_lead_to_their_place_inside_the_file(made, texts):
    inside, outside = links(made)
    front, second = sheet(texts, "zebracrossing"), sheet(texts, "Back to the front")
    far = sheet(texts, "Here the far place is")
    goals = {source: [goal for s, goal, _ in inside if s == source] for source in (front, second)}
    assert far in goals[front]  # an anchor, sheets into its page
    assert sheet(texts, "all random choices") in goals[front]  # the term's definition
    assert front in goals[second]
    heights = [height for s, goal, height in inside if (s, goal) == (front, far)]
    assert all(100 < float(height) < 850 for height in heights)
    assert outside == ["https://example.org/"]


def test_the_contents_name_the_right_sheets(made, texts):
    inside, _ = links(made)
    assert [goal for source, goal, _ in inside if source == 1] == [
        sheet(texts, words)
        for words in ("zebracrossing", "Back to the front", "all random choices", "All is well")
    ]


def test_every_sheet_has_its_number_and_title(texts):
    for number, text in enumerate(texts[2:], start=3):
        assert text.rstrip().splitlines()[-1].split()[-1] == str(number)
    assert "The second page" in texts[sheet(texts, "Here the far place is")]


def test_solutions_are_printed_and_folded_code_is_not(texts):
    whole = "\n".join(texts)
    for words in ("The solution is forty-two", "solved_code", "shown_code"):
        assert words in whole
    for words in ("folded_code", "13254", "code cell", "The numbers in this chart"):
        assert words not in whole


def test_charts_are_drawn_as_vectors(made, texts):
    page = made.pages[sheet(texts, "zebracrossing")]
    parts = [form.get_object().get_data() for form in page["/Resources"]["/XObject"].values()]
    whole = b"".join([page.get_contents().get_data(), *parts])
    assert b".8353 .3686 0 rg" in whole  # the orange of the dots, #D55E00
    assert not page.images


def test_the_file_says_what_it_is(made):
    facts = made.metadata
    assert (facts.title, facts.author) == ("Small book", "The Lethe authors")
    assert made.trailer["/Root"]["/Lang"] == "en"


def test_a_book_that_is_not_built_is_refused(tmp_path, capsys):
    assert pdf.main(["--out", str(tmp_path)]) == 1
    assert "run `make book` first" in capsys.readouterr().err


def test_without_chromium_it_says_what_to_install(small_book, tmp_path):
    environment = {"PATH": str(tmp_path), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path)}
    command = [sys.executable, "-m", "lethe.pages.pdf", "--out", str(small_book)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert "apt install chromium" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_playwright_it_says_what_to_install(small_book, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    assert pdf.main(["--out", str(small_book)]) == 1
    assert "make setup" in capsys.readouterr().err
