"""Where data are: what is shipped in `data/` of a checkout, what is fetched in a cache folder.

The package alone has the library and its commands. The book's pages, traces, images and weights are
in a checkout only.
"""

from __future__ import annotations

import os
from pathlib import Path

from lethe.errors import LetheError

CHECKOUT = Path(__file__).resolve().parents[2]  # only if `in_checkout`
HOW = "clone the repository of Lethe and install it with `make setup` or `pip install --editable .`"


def in_checkout() -> bool:
    """Whether this Lethe runs from a source checkout, which has the book, or as a package."""
    return (CHECKOUT / "pyproject.toml").is_file() and (CHECKOUT / "notebooks").is_dir()


def need_checkout(what: str) -> None:
    """LetheError saying how to get `what`, unless this Lethe runs from a source checkout."""
    if not in_checkout():
        raise LetheError(f"{what} is not in the installed package: {HOW}")


def data_folder() -> Path:
    """The folder of glyphs, weights and traces: LETHE_DATA, or `data` of a source checkout.

    Without a checkout it is `data` in the current folder.
    """
    chosen = os.environ.get("LETHE_DATA")
    if chosen and "://" in chosen:
        raise LetheError(
            f"LETHE_DATA is {chosen}; it names a folder of this machine. Stores at a URL are "
            "opened by their own URL, such as s3://bucket/traces/NAME.zarr.zip"
        )
    if chosen:
        return Path(chosen).expanduser()
    return CHECKOUT / "data" if in_checkout() else Path("data")


def why_missing() -> str:
    """What to say of a file that is not in the data folder; empty where a checkout has it."""
    if in_checkout() or os.environ.get("LETHE_DATA"):
        return ""
    return (
        "; the installed package has no data: set LETHE_DATA to the folder `data` of a checkout of "
        "Lethe, or to a folder of your own"
    )


def datasets_folder() -> Path:
    """The folder of fetched data sets: LETHE_DATASETS, or ~/.cache/lethe/datasets."""
    chosen = os.environ.get("LETHE_DATASETS")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "lethe" / "datasets"
