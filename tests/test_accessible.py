"""lethe.pages.accessible: what the extension takes out of a page."""

from types import SimpleNamespace

import sphinx_thebe
from sphinx.events import EventManager

from lethe.pages import accessible


def app() -> SimpleNamespace:
    """As much of a Sphinx application as the extension touches."""
    fake = SimpleNamespace(messagelog=[])
    fake.events = EventManager(fake)
    fake.events.add("html-page-context")
    fake.connect = lambda event, call: fake.events.connect(event, call, 500)
    fake.disconnect = fake.events.disconnect
    return fake


def handlers(fake) -> set[str]:
    many = fake.events.listeners.values()
    return {listener.handler.__name__ for listeners in many for listener in listeners}


def test_only_what_thebe_writes_into_pages_is_disconnected():
    fake = app()
    for name in ("st_static_path", "init_thebe_core", "update_thebe_context"):
        fake.connect("builder-inited", getattr(sphinx_thebe, name))
    fake.connect("builder-inited", test_only_what_thebe_writes_into_pages_is_disconnected)
    accessible.setup(fake)
    assert handlers(fake) == {
        "st_static_path",
        "without_roles",
        "test_only_what_thebe_writes_into_pages_is_disconnected",
    }


def test_the_list_of_references_loses_its_roles_and_other_pages_keep_theirs():
    references = '<div role="list" class="citation-list"><div role="doc-biblioentry">a</div></div>'
    for body, left in ((references, 0), ('<ul role="list"></ul>', 1)):
        context = {"body": body}
        accessible.without_roles(None, "page", "page.html", context, None)
        assert context["body"].count("role=") == left
    accessible.without_roles(None, "genindex", "genindex.html", {}, None)
