"""Draw one character of one typeface as a 64 x 64 image, the same bytes every time.

Definition: FreeType outlines, no hinting, no embedded bitmaps, 256 greys, white ink (255) on black
(0), then rounded to 16 greys (multiples of 17), so that the stored image is the image. One scale
per typeface and script: the largest width or height among its characters is 56 pixels. Each glyph
is moved so that the middle of its outline's box is the middle of the image; position on the line
is forgotten, size is not (v and V differ by size only). Cost: about 0.2 ms a glyph.
"""

from pathlib import Path

import numpy as np

from lethe.errors import LetheError

try:
    import freetype
except ImportError:
    raise LetheError("drawing glyphs needs freetype-py: pip install 'lethe[fonts]'") from None

SIDE = 64
BOX = 56
GREYS = 16
_FLAGS = freetype.FT_LOAD_NO_HINTING | freetype.FT_LOAD_NO_BITMAP
_MEASURE = 1000  # pixels per em at which outlines are measured


def _span(first: int, last: int, leave_out: str = "") -> str:
    return "".join(chr(c) for c in range(first, last + 1) if chr(c) not in leave_out)


LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# Other scripts, for pretraining. Cyrillic capitals drawn like a Greek one are left out, and so are
# rare letters and those that differ from another by an added mark.
SCRIPTS = {
    "Greek": _span(0x391, 0x3A9, "\u03a2") + _span(0x3B1, 0x3C9),
    "Cyrillic": "БДЖЗИЙЛУЦЧШЩЪЫЬЭЮЯ" + _span(0x430, 0x44F, "\u043e"),
    "Hebrew": _span(0x5D0, 0x5EA),
    "Arabic": _span(0x627, 0x64A, "\u0629\u063b\u063c\u063d\u063e\u063f\u0640\u0649"),
    "Armenian": _span(0x531, 0x556) + _span(0x561, 0x586),
    "Georgian": _span(0x10D0, 0x10F0),
    "Devanagari": _span(0x905, 0x90B) + "एऐओऔ" + _span(0x915, 0x939, "\u0929\u0931\u0933\u0934"),
    "Thai": _span(0xE01, 0xE2E, "\u0e24\u0e26"),
    "Hangul": _span(0x3131, 0x3163, "ㄳㄵㄶㄺㄻㄼㄽㄾㄿㅀㅄㅐㅒㅔㅖㅘㅙㅚㅝㅞㅟㅢ"),
    "Hiragana": _span(
        0x3042, 0x3093, "ぃぅぇぉがぎぐげござじずぜぞだぢっづでどばぱびぴぶぷべぺぼぽゃゅょゎゐゑ"
    ),
    "Ethiopic": "ሀለሐመሠረሰሸቀበተቸኀነኘአከኸወዐዘዠየደጀገጠጨጰጸፀፈፐ",
}


def draw_typeface(path: Path, characters: str) -> dict[str, np.ndarray]:
    """Draw the characters that a font file has, at one scale.

    Returns uint8 arrays of shape [64, 64] by character, in the order asked for; characters that
    are missing, empty or drawn as the font's "no such character" box are left out.
    Raises LetheError where the file is not an outline font.
    """
    face = _open(path)
    boxes = _boxes(face, characters)
    if not boxes:
        return {}
    largest = max(max(x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes.values())
    face.set_char_size(int(_MEASURE * 64 * BOX * 64 // largest))
    missing = _draw(face, 0)
    drawn = {c: _draw(face, face.get_char_index(c)) for c in boxes}
    return {c: g for c, g in drawn.items() if g.any() and not np.array_equal(g, missing)}


def _open(path: Path) -> freetype.Face:
    try:
        face = freetype.Face(str(path))
    except freetype.FT_Exception as error:
        raise LetheError(f"font {path.name} cannot be read ({error}); fetch it again") from None
    if not face.is_scalable:
        raise LetheError(f"font {path.name} has no outlines; leave it out of the font list")
    if face.charmap is None or face.charmap.encoding_name != "FT_ENCODING_UNICODE":
        raise LetheError(f"font {path.name} has no Unicode table; leave it out of the font list")
    return face


def _boxes(face: freetype.Face, characters: str) -> dict[str, tuple[int, int, int, int]]:
    """Exact outline boxes (1/64 pixel at 1000 pixels per em) of the characters the face has."""
    face.set_char_size(_MEASURE * 64)
    boxes = {}
    for character in characters:
        index = face.get_char_index(character)
        if index:
            face.load_glyph(index, _FLAGS)
            box = face.glyph.outline.get_bbox()
            if box.xMax > box.xMin and box.yMax > box.yMin:
                boxes[character] = (box.xMin, box.yMin, box.xMax, box.yMax)
    return boxes


def _draw(face: freetype.Face, index: int) -> np.ndarray:
    """Draw a glyph with the middle of its box at the middle of the image."""
    image = np.zeros((SIDE, SIDE), np.uint8)
    _move(face, 0, 0)
    face.load_glyph(index, _FLAGS)
    box = face.glyph.outline.get_bbox()
    half = SIDE * 64 // 2
    _move(face, half - (box.xMin + box.xMax) // 2, half - (box.yMin + box.yMax) // 2)
    face.load_glyph(index, _FLAGS | freetype.FT_LOAD_RENDER)
    glyph = face.glyph
    bitmap = glyph.bitmap
    if not bitmap.rows or not bitmap.width:
        return image
    ink = np.array(bitmap.buffer, np.uint8).reshape(bitmap.rows, bitmap.pitch)[:, : bitmap.width]
    top, left = SIDE - glyph.bitmap_top, glyph.bitmap_left
    clipped = ink[max(0, -top) : SIDE - top, max(0, -left) : SIDE - left]
    top, left = max(0, top), max(0, left)
    image[top : top + clipped.shape[0], left : left + clipped.shape[1]] = clipped
    return quantise(image)


def _move(face: freetype.Face, right: int, up: int) -> None:
    one = 0x10000
    face.set_transform(freetype.Matrix(one, 0, 0, one), freetype.Vector(right, up))


def quantise(image: np.ndarray) -> np.ndarray:
    """Round 256 greys to the nearest of 16 (0, 17, ..., 255)."""
    return ((image.astype(np.uint16) * (GREYS - 1) + 127) // 255 * 17).astype(np.uint8)
