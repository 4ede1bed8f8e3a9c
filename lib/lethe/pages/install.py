"""Install Lethe where a notebook was opened by itself, such as on Colab; needs no part of Lethe.

The first cell of every notebook clones the book into `lethe-book` and runs this file there, by its
path. The Python that runs the cell gets the library's dependencies, not the extra `capture`, unless
the page trains networks and torch is missing. Cost: a minute or two.
"""

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
KERNEL = ("ipykernel", "ipython")  # what runs this very cell: left as it is
LOADED = ("numpy", "scipy", "pandas", "pyarrow", "xarray", "numba", "altair")


def project() -> dict:
    """The table `project` of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def wanted(trains: bool) -> list[str]:
    """The requirements to install; those of `capture` only if the page trains and they are missing.

    A torch that is there stays, whatever its version: another would be a download of gigabytes.
    """
    found = [line for line in project()["dependencies"] if _name(line) not in KERNEL]
    if trains:
        extra = project()["optional-dependencies"]["capture"]
        found += [line for line in extra if find_spec(_name(line)) is None]
    return found


def _name(requirement: str) -> str:
    return re.split(r"[^\w-]", requirement)[0]


def stale(modules: Iterable[str]) -> list[str]:
    """Which loaded modules are of another version than the one that is installed by now."""
    found = []
    for name in modules:
        loaded = getattr(sys.modules.get(name), "__version__", None)
        if loaded and loaded != importlib.metadata.version(name):
            found.append(f"{name} {loaded}")
    return found


def pip(*arguments: str) -> None:
    """Run pip for this Python; RuntimeError with what it says of errors if it fails."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        errors = [line.strip() for line in lines if "error" in line.lower()]
        raise RuntimeError(f"pip could not install Lethe: {' / '.join(errors[:4]) or lines[-1]}")


def main(trains: bool) -> None:
    """Install, make Lethe importable in this process and go to the checkout.

    RuntimeError if a package that this process has loaded was replaced: it has to be restarted.
    """
    pip(*wanted(trains))
    pip("--no-deps", "--editable", str(ROOT))
    sys.path.insert(0, str(ROOT / "lib"))
    os.chdir(ROOT)
    old = stale(LOADED)
    if old:
        raise RuntimeError(f"{', '.join(old)} is too old: restart the runtime and run again")


if __name__ == "__main__":
    main(bool(globals().get("TRAINS")))
