"""Where data are: what is shipped in `data/` of a checkout, what is fetched in a cache folder."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """The folder of glyphs, weights and traces: LETHE_DATA, or `data/` of a source checkout."""
    chosen = os.environ.get("LETHE_DATA")
    return Path(chosen) if chosen else Path(__file__).resolve().parents[2] / "data"


def datasets_folder() -> Path:
    """The folder of fetched data sets: LETHE_DATASETS, or ~/.cache/lethe/datasets."""
    chosen = os.environ.get("LETHE_DATASETS")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "lethe" / "datasets"
