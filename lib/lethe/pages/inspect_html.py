"""What a reader would trip over in the built pages: dead links, web loads, weight.

Cost: about 10 ms a page.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

MAX_BYTES = 2_000_000
GENERATED = {"genindex.html", "search.html"}


@dataclass
class Seen:
    """What one page links to, loads and defines."""

    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    without_text: int = 0


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen = Seen()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.seen.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.seen.links.append(found["href"])
        if tag in ("script", "img", "iframe") and "src" in found:
            self.seen.loads.append(found["src"])
        if tag == "link" and found.get("rel") in ("stylesheet", "preload", "modulepreload"):
            self.seen.loads.append(found["href"])
        if tag == "img" and not found.get("alt", "").strip():
            self.seen.without_text += 1


def read_page(path: Path) -> Seen:
    """Return what one HTML page links to, loads and defines."""
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.seen


def problems(folder: Path) -> list[str]:
    """Return one line for each problem in the HTML pages under `folder`; none is good."""
    pages = {path: read_page(path) for path in sorted(folder.rglob("*.html"))}
    pages = {path: seen for path, seen in pages.items() if "_static" not in path.parts}
    if not (folder / "index.html").is_file():
        return [f"{folder} has no index.html"]
    found = []
    for path, seen in pages.items():
        name = path.relative_to(folder).as_posix()
        found += [f"{name}: {problem}" for problem in _page_problems(path, seen, folder, pages)]
    return found


def _page_problems(path: Path, seen: Seen, folder: Path, pages: dict[Path, Seen]) -> list[str]:
    found = [f"loads {src} from the web" for src in seen.loads if urlsplit(src).netloc]
    loads = [src for src in seen.loads if not urlsplit(src).netloc]
    found += [f"{link} leads nowhere" for link in loads if not _exists(link, path, pages)]
    if path.name not in GENERATED:
        links = dict.fromkeys(seen.links)
        found += [f"{link} leads nowhere" for link in links if not _exists(link, path, pages)]
    if seen.without_text:
        found.append(f"{seen.without_text} images without a text alternative")
    if path.stat().st_size > MAX_BYTES:
        found.append(f"{path.stat().st_size / 1e6:.1f} MB, more than {MAX_BYTES / 1e6:.0f} MB")
    return found


def _exists(link: str, path: Path, pages: dict[Path, Seen]) -> bool:
    """Whether a local link has a target; links to the web are not followed."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
    if not target.is_file():
        return False
    seen = {page.resolve(): found for page, found in pages.items()}.get(target)
    return not parts.fragment or seen is None or unquote(parts.fragment) in seen.anchors
