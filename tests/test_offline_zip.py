"""lethe.pages.archive: the zipped book opens anywhere, without a server or a network."""

import os
import shutil
import time
import zipfile

import pytest

from lethe.errors import LetheError
from lethe.pages import archive


@pytest.fixture(scope="module")
def unpacked(small_book, tmp_path_factory):
    folder = tmp_path_factory.mktemp("somewhere else, é")
    with zipfile.ZipFile(archive.write_zip(small_book / "html", folder / "book.zip")) as packed:
        packed.extractall(folder)
    return folder / archive.FOLDER


def test_the_same_pages_give_the_same_bytes(small_book, tmp_path):
    first = archive.write_zip(small_book / "html", tmp_path / "a.zip").read_bytes()
    copy = shutil.copytree(small_book / "html", tmp_path / "copy")
    for path in copy.rglob("*"):
        os.utime(path, (time.time(), 1e9))
    (copy / "index.html").chmod(0o700)
    assert archive.write_zip(copy, tmp_path / "b.zip").read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "b.zip", "copy"]


def test_everything_lies_in_one_folder(unpacked):
    assert [path.name for path in unpacked.parent.iterdir() if path.is_dir()] == [archive.FOLDER]
    assert (unpacked / "404.html").is_file()
    assert (unpacked / "_static" / "terms.js").is_file()


def test_a_book_that_is_not_built_is_refused(tmp_path, capsys):
    with pytest.raises(LetheError, match="make book"):
        archive.write_zip(tmp_path, tmp_path / "x.zip")
    assert archive.main(["--out", str(tmp_path)]) == 1
    assert "run `make book` first" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_charts_are_drawn_offline(browser, unpacked):
    with browser.new_context(offline=True) as context:
        page = context.new_page()
        loaded = []
        page.on("request", lambda request: loaded.append(request.url))
        page.goto((unpacked / "index.html").as_uri())
        page.wait_for_url("**/front.html")
        page.wait_for_selector(".lethe-chart svg")
        assert page.locator(".lethe-chart svg path[fill='#D55E00']").count() == 6
        home = unpacked.as_uri()
        assert not [url for url in loaded if not url.startswith((home, "data:", "blob:"))]


@pytest.mark.parametrize(("word", "found"), [("zebracrossing", "Small book"), ("xyzzyx", None)])
def test_search_works_offline(browser, unpacked, word, found):
    with browser.new_context(offline=True) as context:
        page = context.new_page()
        page.goto((unpacked / "search.html").as_uri() + f"?q={word}")
        page.wait_for_selector(".search-summary:has-text('Search finished'), #search-results p")
        page.wait_for_timeout(500)
        links = page.locator("#search-results ul a")
        if found is None:
            assert links.count() == 0
        else:
            assert links.first.inner_text() == found
            links.first.click()
            page.wait_for_url("**/notebooks/front.html*")


def test_the_foot_of_every_page_names_commit_and_date(unpacked):
    pages = [*unpacked.glob("notebooks/*.html"), *unpacked.glob("book/*.html")]
    for page in [*pages, unpacked / "search.html"]:
        text = page.read_text("utf-8")
        assert "Built on 1970-01-02 from commit abc123." in text, page
        assert ('status.html">Status of this build</a>' in text) == (page.stem != "status"), page
        assert "Text: CC BY 4.0" in text, page
    assert len(pages) == 4
