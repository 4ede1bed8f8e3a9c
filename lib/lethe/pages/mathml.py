"""Sphinx extension: formulas as MathML, converted by docutils, so no page needs a script for them.

All current browsers draw MathML; screen readers read it. Cost: under a millisecond a formula.
"""

import re
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

FUNCTION = re.compile(r"(<mo>&ApplyFunction;</mo>)(\s*<m[ins])")  # before a letter, not a bracket
LONG = 30  # letters of TeX; shorter formulas fit on a line of a phone
logger = logging.getLogger(__name__)


def to_mathml(node: nodes.Element, block: bool) -> str:
    """Return the MathML of one formula; an unreadable one is a warning and text."""
    source = node.astext()
    try:
        return spaced(tex2mathml(source, as_block=block))
    except (SyntaxError, ValueError) as error:
        logger.warning("formula %r: %s", source, error, location=node)
        return f"<code>{nodes.unescape(source)}</code>"


def spaced(mathml: str) -> str:
    """Put the thin space of TeX between a named function and its argument, as in ln 2."""
    return FUNCTION.sub(r'\1<mspace width="0.17em"/>\2', mathml)


def visit_inline(translator: Any, node: nodes.Element) -> None:
    """Write an inline formula; a long one in a box that scrolls on a phone."""
    formula = to_mathml(node, block=False)
    long = len(node.astext()) > LONG
    translator.body.append(f'<span class="lethe-long">{formula}</span>' if long else formula)
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.Element) -> None:
    """Write a displayed formula in a box that scrolls where it is too wide."""
    translator.body.append(f'<div class="lethe-math">{to_mathml(node, block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer under the name `mathml` (`html_math_renderer` in `_config.yml`)."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
