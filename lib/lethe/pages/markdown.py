"""Markdown with the MyST forms that the pages use, as HTML that needs no script.

Formulas become MathML; directives become boxes, folded with `:class: dropdown`; roles and links to
other pages become their words. Cost: about 1 ms a cell.
"""

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import SplitResult, urlsplit

from docutils.utils.math.latex2mathml import tex2mathml
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.myst_role import myst_role_plugin


def markdown(source: str) -> str:
    """Return the HTML of Markdown text."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    parser.use(dollarmath_plugin, renderer=_formula).use(colon_fence_plugin).use(myst_role_plugin)
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("colon_fence", _fence)
    parser.add_render_rule("myst_role", _role)
    parser.core.ruler.push("unlink", _unlink)
    return parser.render(source)


def _unlink(state: StateCore) -> None:
    """Links to other files of the book lead nowhere from a single file: keep their words only."""
    for token in state.tokens:
        opened = []
        for child in token.children or []:
            if child.type == "link_open":
                opened.append(urlsplit(str(child.attrs["href"])))
            if child.type in ("link_open", "link_close") and not _leads_somewhere(opened[-1]):
                child.tag, child.attrs = "span", {}
            if child.type == "link_close":
                opened.pop()


def _leads_somewhere(link: SplitResult) -> bool:
    return bool(link.scheme or not link.path)


def _formula(tex: str, options: Mapping[str, Any]) -> str:
    """One formula as MathML; one that docutils cannot read stays text."""
    try:
        return tex2mathml(tex.strip(), as_block=options.get("display_mode", False))
    except (SyntaxError, ValueError):
        return f"<code>{escape(tex)}</code>"


def _role(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """A role such as {ref}`words <target>`: its words; formulas as formulas."""
    name, content = tokens[index].meta["name"], tokens[index].content
    if name == "math":
        return _formula(content, {"display_mode": False})
    if name.startswith("cite"):
        return escape(author_year(content))
    return escape(re.sub(r"\s*<[^>]*>$", "", content))


def author_year(keys: str) -> str:
    """Citation keys (author, year, word) in words: `(Daga 2026, Owen 2007)`."""
    return "(" + re.sub(r"([a-z]+)(\d{4})\w*", lambda m: f"{m[1].capitalize()} {m[2]}", keys) + ")"


def _fence(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """A directive as a box (folded with `:class: dropdown`); any other fence as code."""
    token = tokens[index]
    directive = re.match(r"\{([\w:-]+)\}\s*(.*)", token.info.strip())
    if not directive:
        return renderer.fence(tokens, index, options, env)
    name, title = directive.groups()
    set_options = re.findall(r"^:(\w[\w-]*):\s*(.*)$", token.content, re.MULTILINE)
    text = re.sub(r"\A(:\w[\w-]*:.*\n?)+", "", token.content.lstrip("\n"))
    if name == "math":
        return _formula(text, {"display_mode": True})
    heading = MarkdownIt().renderInline(title) or name.capitalize()
    body = markdown(text)
    if "dropdown" in dict(set_options).get("class", ""):
        return f'<details class="admonition"><summary>{heading}</summary>{body}</details>\n'
    return f'<div class="admonition"><p class="admonition-title">{heading}</p>{body}</div>\n'
