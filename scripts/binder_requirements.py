"""Write binder/requirements.txt: what Binder installs, with the versions of requirements.lock.

    python scripts/binder_requirements.py

The torch-free half of the library and JupyterLab, with all that they need in turn, as the packages
installed here say. Cost: 1 s.
"""

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "binder" / "requirements.txt"
HEAD = (
    "# Written by scripts/binder_requirements.py from requirements.lock: no torch, no book tools.\n"
)
SERVER = "jupyterlab"  # what Binder starts


def locked() -> dict[str, str]:
    """The lines of requirements.lock by canonical name."""
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    pins = [line for line in lines if "==" in line and not line.startswith("#")]
    return {canonicalize_name(re.split(r"[=\[ ;]", line)[0]): line for line in pins}


def wanted() -> list[Requirement]:
    """What pyproject.toml asks for, without its extras, and the server."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [Requirement(line) for line in [*project["dependencies"], SERVER]]


def closure(start: list[Requirement]) -> set[str]:
    """The names of these packages and of all that they need here, transitively."""
    found: set[str] = set()
    left = list(start)
    while left:
        requirement = left.pop()
        name = canonicalize_name(requirement.name)
        if name in found:
            continue
        found.add(name)
        needed = [Requirement(line) for line in requires(name) or []]
        left += [each for each in needed if _applies(each, requirement.extras)]
    return found


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": e}) for e in extras or {""})


def text() -> str:
    """The content of binder/requirements.txt."""
    pins, names = locked(), closure(wanted())
    lines = [line for name, line in sorted(pins.items()) if name in names]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(text(), "utf-8")
