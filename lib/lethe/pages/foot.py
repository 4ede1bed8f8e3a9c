"""Sphinx extension: the foot of every page names the commit and the date of the build.

The words of `extra_footer` in `_config.yml` stay before it; the link leads to the status page.
Cost: none.
"""

import time
from html import escape
from typing import Any

from lethe.pages import provenance

STATUS = "book/status"


def line(status: str | None) -> str:
    """Return the foot as HTML; status: address of the status page, None without one."""
    day = time.strftime("%Y-%m-%d", time.gmtime(provenance.now()))
    words = f"Built on {day} from commit {escape(provenance.state())}."
    return words + (f' <a href="{escape(status)}">Status of this build</a>.' if status else "")


def on_page(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Put the line into the context of one page."""
    linked = STATUS in app.env.found_docs and page != STATUS
    address = app.builder.get_relative_uri(page, STATUS) if linked else None
    given = app.config.html_theme_options.get("extra_footer", "")
    context["theme_extra_footer"] = f"{given} {line(address)}".strip()


def setup(app: Any) -> dict[str, bool]:
    """Register the extension."""
    app.connect("html-page-context", on_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
