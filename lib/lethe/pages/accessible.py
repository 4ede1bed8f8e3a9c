"""Sphinx extension: the page without what stands in a reader's way.

Jupyter Book puts the settings of `thebe`, which this book does not use, on every page, twice, which
is an error in the browser. Lists of references get roles that no longer exist. Cost: none.
"""

from typing import Any

UNUSED = {"init_thebe_core", "update_thebe_context"}
ROLES = (' role="doc-biblioentry"', ' role="list"')


def without_thebe(app: Any) -> None:
    """Disconnect what `sphinx_thebe` writes into pages; its style sheet may stay."""
    listeners = [one for many in app.events.listeners.values() for one in many]
    for listener in listeners:
        handler = listener.handler
        if handler.__module__ == "sphinx_thebe" and handler.__name__ in UNUSED:
            app.disconnect(listener.id)


def without_roles(
    app: Any, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Take the roles out of the list of references; it reads as a list of paragraphs."""
    if "citation-list" in context.get("body", ""):
        for role in ROLES:
            context["body"] = context["body"].replace(role, "")


def setup(app: Any) -> dict[str, bool]:
    """Register the extension; it must come after `sphinx_thebe`."""
    without_thebe(app)
    app.connect("html-page-context", without_roles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
