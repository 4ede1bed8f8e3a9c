"""Errors a user can act on: one line that names the thing and what to do. Cost: none."""

import difflib
from collections.abc import Iterable


class LetheError(ValueError):
    """Something the user can put right; its text is one line."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return `did you mean 'x'? (known: a, b, c)` for a name that is not among the choices."""
    known = sorted(map(str, choices))
    begun = [choice for choice in known if _bare(name) and _bare(choice).startswith(_bare(name))]
    close = begun or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    shown = known if len(known) <= 20 else [*difflib.get_close_matches(name, known, 12, 0.3), "..."]
    return f"{hint}(known: {', '.join(shown) or 'none'})"


def _bare(name: str) -> str:
    """A name without what people leave out or mix up: `finding1` begins `finding_1_...`."""
    return name.lower().replace("_", "").replace("-", "")
