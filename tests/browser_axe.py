"""What axe-core finds on an open page: nothing serious or critical, in light and in dark."""

from axe_playwright_python.sync_playwright import Axe
from browser_open import Visit

SERIOUS = {"serious", "critical"}
ALL = {"resultTypes": ["violations"], "preload": False}
COLORS = ALL | {"runOnly": ["color-contrast"]}  # all that the theme changes
MARKS = "document.querySelectorAll('svg.marks g[aria-hidden=true]').forEach(mark => mark.remove())"
TOKENS = """() => {
  const seen = new Set();
  for (const token of document.querySelectorAll('pre span')) {
    if (!token.className || seen.has(token.className)) token.replaceWith(...token.childNodes);
    else seen.add(token.className);
  }
}"""
AXE = Axe()


def thin(seen: Visit) -> None:
    """Take away what axe is slow on: the marks that charts hide from a screen reader, and all but
    the first coloured word of each kind in code, as the kind decides on the colour.
    """
    seen.page.evaluate(MARKS)
    seen.page.evaluate(TOKENS)


def violations(seen: Visit, colors_only: bool = False) -> list[str]:
    """One line for each element that breaks a rule."""
    found = AXE.run(seen.page, options=COLORS if colors_only else ALL).response["violations"]
    return [
        f"axe {rule['id']}: {node['html'][:120]} {_why(node)}"
        for rule in found
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


def _why(node: dict) -> str:
    told = [check["message"] for check in node["any"] + node["all"] + node["none"]]
    return " ".join(told)[:160]
