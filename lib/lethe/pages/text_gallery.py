"""Texts on a page: a list that wraps, each with its caption and, if wanted, its life below.

Every text is escaped, and stands in its own direction of writing. Cost: its characters.
"""

from collections.abc import Sequence
from html import escape

import numpy as np
from IPython.display import HTML

from lethe.errors import LetheError
from lethe.pages.gallery import strip_below

WIDTH = 160  # pixels of a strip


def text_list(
    texts: Sequence[str],
    captions: Sequence[str],
    *,
    title: str,
    strips: Sequence[tuple[np.ndarray, str]] | None = None,
) -> HTML:
    """Return texts [n] as an HTML list, a caption below each; an empty text shows its caption only.

    `strips`: a low picture for each text, and its words (see `life_strips`). Raises LetheError
    unless there are as many captions.
    """
    if len(texts) != len(captions):
        raise LetheError(f"{len(texts)} texts, {len(captions)} captions")
    below = [strip_below(*strip, WIDTH) for strip in strips] if strips else [""] * len(texts)
    items = "".join(
        f'<li>{_quoted(text)}<span class="lethe-text-caption">{escape(caption)}</span>{strip}</li>'
        for text, caption, strip in zip(texts, captions, below, strict=True)
    )
    heading = f'<p class="lethe-grid-title">{escape(title)}</p>'
    return HTML(f'<div class="lethe-texts">{heading}<ul>{items}</ul></div>')


def _quoted(text: str) -> str:
    return f'<p dir="auto">{escape(text)}</p>' if text else ""
