"""What many tests share: a browser, and a small rendered book."""

import os

# before torch is imported: three processes share two cores, and torch's threads would wait for each
# other more than they compute
os.environ.setdefault("OMP_NUM_THREADS", "1")

import page_runs
import pytest
import shared_chromium


@pytest.fixture(scope="session")
def browser():
    """Chromium, driven by Playwright; skips where it lacks."""
    return shared_chromium.chromium()


def pytest_collection_modifyitems(items):
    """Ask for the pages' own runs last: until then they take the second core."""
    items.sort(key=page_runs.is_asked_for)


def pytest_collection_finish(session):
    """Begin the pages' own runs, which take the second core while the tests take the first."""
    if not session.config.option.collectonly:
        page_runs.begin(session.items)


def pytest_sessionfinish():
    """End the browser and the runs of pages when all tests are done."""
    shared_chromium.close()
    page_runs.end()


@pytest.fixture(scope="session")
def small_book(tmp_path_factory):
    """Folder of a rendered book of four pages; the sources are in `source`, the pages in `html`."""
    from small_book import make  # only where it is used: it takes a second to import

    with pytest.MonkeyPatch.context() as patch:
        return make(tmp_path_factory.mktemp("small_book"), patch)
