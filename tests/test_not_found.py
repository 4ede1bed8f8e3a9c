"""lethe.pages.contents and not_found: the list of pages, and the page for what does not exist."""

import contextlib
import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lethe.errors import LetheError
from lethe.pages import contents, inspect_html, not_found

TOC = """format: jb-book
root: notebooks/front
parts:
  - caption: First & last
    chapters:
      - file: book/glossary
        sections:
          - file: book/below
  - caption: Findings
    chapters:
      - file: notebooks/finding_1_overlap
"""
TITLES = {
    "notebooks/front": "Lethe",
    "book/glossary": "The <em>glossary</em> &amp; more",
    "book/below": "Below",
    "notebooks/finding_1_overlap": "Finding 1: do they forget the same?",
}


def site(folder):
    """A small built book, and its list of pages."""
    for name, title in TITLES.items():
        page = folder / f"{name}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f'<title>x</title><h1>{title}<a class="headerlink" href="#x">#</a></h1>')
    for name in ("index.html", "search.html"):
        (folder / name).write_text(f"<title>{name}</title>")
    (folder / "searchindex.js").write_text("1")
    toc = folder.parent / "_toc.yml"
    toc.write_text(TOC)
    return folder, toc


@pytest.fixture
def book(tmp_path):
    return site(tmp_path / "html")


def test_pages_come_in_the_order_of_the_contents_with_part_and_title(book):
    html, _ = book
    listed = [(p.path.relative_to(html).as_posix(), p.part, p.title) for p in contents.pages(*book)]
    assert listed == [
        ("notebooks/front.html", "", "Lethe"),
        ("book/glossary.html", "First & last", "The glossary & more"),
        ("book/below.html", "First & last", "Below"),
        ("notebooks/finding_1_overlap.html", "Findings", "Finding 1: do they forget the same?"),
    ]


def test_a_book_that_is_not_built_is_refused(tmp_path, book):
    with pytest.raises(LetheError, match=r"no built book .* run `make book`"):
        contents.pages(tmp_path / "none", book[1])
    (book[0] / "book" / "below.html").unlink()
    with pytest.raises(LetheError, match="lacks book/below"):
        contents.pages(*book)


def test_the_page_has_no_problem_of_its_own(book):
    not_found.write(*book)
    assert not [line for line in inspect_html.problems(book[0]) if line.startswith("404")]
    assert "Finding 1: do they forget the same?" in (book[0] / "404.html").read_text("utf-8")


class Handler(SimpleHTTPRequestHandler):
    """A static host: 404.html of the book in place of what does not exist."""

    def send_error(self, code, message=None, explain=None):
        body = (self.server.book / "404.html").read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def host(root, book):
    """Serve the folder `root`, in which the book lies in the folder `book`."""
    handler = functools.partial(Handler, directory=str(root))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.book = book
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module", params=["", "some/where/"], ids=["root", "folder"])
def address(request, tmp_path_factory):
    """Address of a hosted book, at the root of its host and two folders down."""
    root = tmp_path_factory.mktemp("host")
    built = site(root / (request.param or "."))
    not_found.write(*built)
    with host(root, built[0]) as server:
        yield f"{server}/{request.param}"


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("notebooks/finding_1_architecture_overlap.html", "notebooks/finding_1_overlap.html"),
        ("finding-1-overlap", "notebooks/finding_1_overlap.html"),
        ("a/b/c/GLOSARY.html", "book/glossary.html"),
        ("notebooks/book/glossary.ipynb", "book/glossary.html"),
        ("glossary/", "book/glossary.html"),
    ],
)
def test_the_likely_page_is_one_click_away_at_any_depth(browser, address, asked, meant):
    page = browser.new_page()
    answer = page.goto(address + asked)
    assert answer.status == 404
    page.wait_for_load_state("networkidle")
    assert page.locator("#asked").inner_text().endswith(asked)
    assert page.get_attribute("#front", "href") == "/" + address.split("/", 3)[3] + "index.html"
    page.locator("#likely a").first.click()
    assert page.url == address + meant
    page.close()


def test_the_search_box_leads_to_the_search_of_the_book(browser, address):
    page = browser.new_page()
    page.goto(address + "x/y/%3Cb%3Ezzz")
    page.wait_for_load_state("networkidle")
    assert not page.is_visible("#mean")  # nothing is like it
    assert page.locator("#asked").inner_text().endswith("<b>zzz")
    page.fill("#words", "seed")
    page.keyboard.press("Enter")
    page.wait_for_url(address + "search.html?q=seed")
    page.close()
