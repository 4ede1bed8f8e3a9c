"""The page for addresses that do not exist: `404.html`, which static hosts show in their place.

It is shown at any depth and the book may lie in any folder of its host, so it brings its own style,
and a script finds the book: the nearest folder above that has a search index. It names the pages
whose names are most like the one asked for. Cost: milliseconds.
"""

import json
from html import escape
from pathlib import Path

from lethe.pages.contents import pages

NAME = "404.html"
STYLE = """
:root { color-scheme: light dark; --ink: #222832; --page: #fff; --link: #0b5cad; --line: #ccd1d9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --page: #14181e; --link: #7db7f5; --line: #5b6573; } }
body { max-width: 40rem; margin: 12vh auto 2rem; padding: 0 1rem; background: var(--page);
  color: var(--ink); font: 1rem/1.6 system-ui, sans-serif; }
a { color: var(--link); } code { overflow-wrap: anywhere; }
form { display: flex; gap: 0.5rem; flex-wrap: wrap; align-items: center; margin: 1.5rem 0; }
input, button { font: inherit; padding: 0.3rem 0.6rem; color: inherit; background: transparent;
  border: 1px solid var(--line); border-radius: 4px; }
input { flex: 1 1 12rem; min-width: 0; }
"""
SCRIPT = """
const path = decodeURIComponent(location.pathname);
const pairs = (words) => {
  const plain = words.toLowerCase().replace(/[^a-z0-9]/g, "");
  return new Set(Array.from(plain.slice(1), (letter, n) => plain[n] + letter));
};
const likeness = (a, b) => {
  const common = [...a].filter((pair) => b.has(pair)).length;
  return a.size + b.size ? (2 * common) / (a.size + b.size) : 0;
};
const asked = path.replace(/\\/+$/, "").split("/").pop().replace(/\\.(html?|ipynb|py|md)$/, "");
const stem = (page) => page.path.split("/").pop().replace(/\\.html$/, "");
const like = (words) => likeness(pairs(asked), pairs(words));
const score = (page) => Math.max(like(stem(page)), like(page.title));
const likely = pages.map((page) => [score(page), page]).filter(([s]) => s > 0.4);
likely.sort(([a], [b]) => b - a);

const show = (base) => {
  document.getElementById("front").href = base + "index.html";
  document.getElementById("search").action = base + "search.html";
  document.getElementById("likely").replaceChildren(...likely.slice(0, 3).map(([, page]) => {
    const link = Object.assign(document.createElement("a"), { href: base + page.path });
    link.textContent = page.title;
    const item = document.createElement("li");
    item.append(link);
    return item;
  }));
};
const found = async (base) => {
  const answer = await fetch(base + "searchindex.js", { method: "HEAD" }).catch(() => null);
  return answer && answer.ok && !/html/.test(answer.headers.get("content-type") || "");
};
const parts = path.split("/").slice(0, -1);
const folders = parts.map((_, n) => parts.slice(0, n + 1).join("/") + "/");
const known = path.match(/^(.*?\\/)(?:notebooks|book|_static|_sources)\\//);
document.getElementById("asked").textContent = path;
document.getElementById("mean").hidden = !likely.length;
show(known ? known[1] : folders[folders.length - 1]);
(async () => {
  if (!location.protocol.startsWith("http")) return;
  for (const base of folders.reverse()) if (await found(base)) return show(base);
})();
"""


def write(html: Path, toc: Path) -> Path:
    """Write `404.html` at the root of the built book and return its path."""
    listed = [
        {"path": page.path.relative_to(html).as_posix(), "title": page.title}
        for page in pages(html, toc)
    ]
    target = html / NAME
    target.write_text(_page(listed), encoding="utf-8")
    return target


def _page(listed: list[dict[str, str]]) -> str:
    book = escape(listed[0]["title"])
    data = json.dumps(listed, ensure_ascii=False).replace("</", "<\\/")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Page not found \N{EM DASH} {book}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>This page does not exist</h1>
<p>Nothing in this book has the address <code id="asked">asked for</code>.</p>
<div id="mean" hidden>
<p>Did you mean:</p>
<ul id="likely"></ul>
</div>
<form id="search" action="search.html" role="search">
<label for="words">Search the book</label>
<input id="words" name="q" type="search">
<button>Search</button>
</form>
<p><a id="front" href="index.html">Front page of {book}</a></p>
<noscript><p>Without scripts this page cannot know where the book begins. Take away the end of the
address, piece by piece, until the front page appears.</p></noscript>
</main>
<script>const pages = {data};{SCRIPT}</script>
</body>
</html>
"""
