"""Pictures of an open page: nothing blank, nothing cut off, text that can be read."""

import io
import os
from pathlib import Path

import numpy as np
from browser_open import Visit
from PIL import Image

LONGEST_GAP = 420  # pixels of an article without anything
LEAST_INK = 0.004  # share of a chart's pixels that are not background
PLACES = """() => {
  const box = element => {
    const r = element.getBoundingClientRect();
    return [r.left + scrollX, r.top + scrollY, r.right + scrollX, r.bottom + scrollY];
  };
  const colors = (selector, name) =>
    [...new Set([...document.querySelectorAll(selector)].map(e => getComputedStyle(e)[name]))];
  return {
    article: [...document.querySelectorAll('article')].map(box),  // the page of the search has none
    charts: [...document.querySelectorAll('.lethe-chart')].map(box),
    wide: document.documentElement.scrollWidth - innerWidth,
    text: colors('article p, article li, article td', 'color'),
    ink: colors('svg.marks :is(.role-axis, .role-legend, .role-title) text', 'fill'),
  };
}"""


def picture(seen: Visit) -> np.ndarray:
    """The whole page [row, column, 3] as bytes."""
    shot = seen.page.screenshot(full_page=True, type="jpeg", quality=85)
    return np.asarray(Image.open(io.BytesIO(shot)))


def background(pixels: np.ndarray) -> np.ndarray:
    """The commonest colour of a thinned picture."""
    codes = pixels[::7, ::7].astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colors, counts = np.unique(codes, return_counts=True)
    commonest = int(colors[counts.argmax()])
    return np.array([commonest >> 16, commonest >> 8 & 255, commonest & 255])


def wrong(seen: Visit, pixels: np.ndarray) -> list[str]:
    """One line for each blank area, each overflow and each colour that cannot be read."""
    places = seen.page.evaluate(PLACES)
    ground = background(pixels)
    low, high = np.clip(ground - 24, 0, 255), np.clip(ground + 24, 0, 255)
    sides = (pixels < low.astype(np.uint8)) | (pixels > high.astype(np.uint8))
    inked = sides[..., 0] | sides[..., 1] | sides[..., 2]
    problems = [f"{places['wide']} pixels wider than the window"] if places["wide"] > 1 else []
    for number, box in enumerate(places["charts"], 1):
        problems += _blank(cut(pixels, box), cut(inked, box), f"chart {number}")
    gaps = [longest_gap(cut(inked, article)) for article in places["article"]]
    problems += [f"{gap} empty pixels below each other" for gap in gaps if gap > LONGEST_GAP]
    for color in {*places["text"], *places["ink"]}:
        if contrast(color, ground) < 4.5:
            problems.append(f"text of colour {color} on {tuple(ground.tolist())}")
    return problems


def cut(pixels: np.ndarray, box: list[float]) -> np.ndarray:
    left, top, right, bottom = (max(round(side), 0) for side in box)
    return pixels[top:bottom, left:right]


def _blank(pixels: np.ndarray, inked: np.ndarray, name: str) -> list[str]:
    if not inked.size:
        return [f"{name} has no area"]
    colors = len(np.unique((pixels[::2, ::2] // 48) @ np.array([36, 6, 1], np.uint8)))
    if inked.mean() < LEAST_INK or colors < 3:
        return [f"{name} is blank: {inked.mean():.2%} ink, {colors} colours"]
    return []


def longest_gap(inked: np.ndarray) -> int:
    """The largest number of rows one after the other without any ink."""
    rows = np.flatnonzero(inked.any(axis=1))
    return int(np.diff(rows, prepend=-1).max(initial=1)) - 1  # a short page may end early


def luminance(color) -> float:
    """Relative luminance of WCAG of a colour in bytes."""
    share = np.asarray(color, float) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(css: str, ground: np.ndarray) -> float:
    """The contrast of WCAG between a CSS colour `rgb(...)` and a background."""
    color = [float(part) for part in css[css.index("(") + 1 : -1].split(",")[:3]]
    light, dark = sorted([luminance(color), luminance(ground)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def keep(pixels: np.ndarray, name: str, failed: bool, folder: Path) -> None:
    """Write a picture if the test fails, or always where LETHE_SCREENSHOTS names a folder."""
    wanted = os.environ.get("LETHE_SCREENSHOTS")
    if failed or wanted:
        path = Path(wanted or folder) / f"{name.replace('/', '-')}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
