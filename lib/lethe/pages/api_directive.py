"""Sphinx extension: `{lethe-api}` with public names writes their signatures and docstrings.

Each name gets an anchor, a place in the index and in the list at the side, and can be linked by
{py:func}`lethe.open_traces` and the like. Docstrings are read as Markdown. Cost: 10 ms a name.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from lethe.errors import LetheError
from lethe.pages.api import Entry, entry

LONGEST = 72  # characters of a signature on one line
ARGUMENTS = re.compile(r"<dl>\s*((?:<dd>.*?</dd>\s*)+)</dl>", re.DOTALL)


class ApiDirective(SphinxDirective):
    """The entries of the names in the content, one name a line."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """The nodes of all entries; an error of the build for a name that is not public."""
        try:
            found = [entry(name) for line in self.content for name in line.split()]
        except LetheError as error:
            raise self.error(str(error)) from None
        return self.parse_text_to_nodes("\n\n".join(map(markdown, found)))


def markdown(one: Entry) -> str:
    """An entry as a directive of Sphinx's Python domain, in Markdown, with its members inside."""
    inner = [one.text, *map(_member, one.members), f"Source: `{one.place}`"]
    return _block(f"py:{one.kind}", one.name, one.signature, "\n\n".join(inner), "````")


def _member(one: Entry) -> str:
    return _block(f"py:{one.kind}", one.name, one.signature, one.text, "```")


def _block(kind: str, name: str, signature: str, text: str, fence: str) -> str:
    """A directive; the type of what cannot be called is an option of it."""
    if signature.startswith(": "):
        return f"{fence}{{{kind}}} {name}\n:type: {signature[2:]}\n\n{text}\n{fence}"
    return f"{fence}{{{kind}}} {name}{signature}\n\n{text}\n{fence}"


def as_lines(found: re.Match[str]) -> str:
    """Arguments, which Sphinx writes as a list of definitions without terms, as plain lines."""
    lines = found[1].replace("<dd>", "<span>").replace("</dd>", "</span>")
    return f'<span class="lethe-arguments">{lines}</span>'


def without_empty_lists(
    app: Any, page: str, template: str, context: dict[str, Any], doctree: Any
) -> None:
    """Put the arguments of long signatures in lines; a screen reader stumbles over the lists."""
    if "sig-param" in context.get("body", ""):
        context["body"] = ARGUMENTS.sub(as_lines, context["body"])


def setup(app: Any) -> dict[str, bool]:
    """Register the directive and how its entries look."""
    app.add_directive("lethe-api", ApiDirective)
    app.connect("html-page-context", without_empty_lists)
    app.config.python_maximum_signature_line_length = LONGEST
    app.config.toc_object_entries_show_parents = "hide"
    # types of other libraries are words, not links: only this library's own can be missing
    app.config.nitpick_ignore_regex = [("py:(class|obj)", "(?!lethe).*")]
    return {"parallel_read_safe": True, "parallel_write_safe": True}
