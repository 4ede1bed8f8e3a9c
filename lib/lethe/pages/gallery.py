"""Images on a page: small PNGs inside the HTML, each with its text alternative.

Cost: about 0.5 kB for a 32 px glyph, so a contact sheet of 1,000 glyphs is half a megabyte.
"""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from IPython.display import HTML
from PIL import Image

from lethe.errors import LetheError


def data_uri(pixels: np.ndarray, colors: int = 16) -> str:
    """Return one uint8 image [h, w], [h, w, 1] or [h, w, 3] as a `data:` address of a PNG."""
    pixels = np.asarray(pixels)
    if pixels.dtype != np.uint8:
        raise LetheError(f"an image of type {pixels.dtype}: expected uint8")
    image = Image.fromarray(pixels.squeeze())
    if image.mode == "L":
        image = image.quantize(colors)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def image_grid(
    pixels: Sequence[np.ndarray] | np.ndarray,
    captions: Sequence[str],
    *,
    title: str,
    alts: Sequence[str] | None = None,
    strips: Sequence[tuple[np.ndarray, str]] | None = None,
    size: int = 56,
) -> HTML:
    """Return images [n] of uint8 pixels as an HTML grid that wraps; captions serve as `alt`.

    `strips`: a second, low picture for each image, and its words (see `life_strips`).
    """
    alts = captions if alts is None else alts
    if not len(pixels) == len(captions) == len(alts):
        raise LetheError(f"{len(pixels)} images, {len(captions)} captions, {len(alts)} alts")
    below = [strip_below(*strip, size) for strip in strips] if strips else [""] * len(captions)
    figures = "".join(
        f'<figure><img src="{data_uri(image)}" alt="{escape(text)}" width="{size}" '
        f'height="{size}"/>{strip}<figcaption>{escape(caption)}</figcaption></figure>'
        for image, caption, text, strip in zip(pixels, captions, alts, below, strict=True)
    )
    heading = f'<p class="lethe-grid-title">{escape(title)}</p>'
    return HTML(f'<div class="lethe-grid">{heading}{figures}</div>')


def strip_below(pixels: np.ndarray, words: str, width: int) -> str:
    """A strip below a picture, two pixels a row; its words also show on hovering."""
    told = f'alt="{escape(words)}" title="{escape(words)}"'
    size = f'width="{width}" height="{2 * len(pixels)}" style="display: block; margin: 2px auto"'
    return f'<img src="{data_uri(pixels)}" {told} {size}/>'
