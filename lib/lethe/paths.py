"""Where the shipped data are: `data/` of a source checkout, or the folder named by LETHE_DATA."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path:
    """The folder that holds glyphs, weights and traces."""
    chosen = os.environ.get("LETHE_DATA")
    return Path(chosen) if chosen else Path(__file__).resolve().parents[2] / "data"
