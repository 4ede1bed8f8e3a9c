"""The files of an import, sorted into runs: one seed each. Cost: one hash of every file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lethe.errors import LetheError
from lethe.traces.exchange import cartography

SEED = re.compile(r"seed[_-]?(\d+)")


@dataclass(frozen=True)
class Run:
    """The files of one seed, in the order in which they are read."""

    seed: int
    files: tuple[Path, ...]


def find_files(paths: Sequence[Path | str]) -> list[Path]:
    """The files behind `paths`; a folder stands for the cartography logs in it.

    Raises LetheError for a path that is not there and a folder without logs.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise LetheError(f"there is nothing at {path}; expected a log to import")
        files += _in_folder(path) if path.is_dir() else [path]
    if not files:
        raise LetheError("there is no file to import; give one or more")
    return list(dict.fromkeys(files))


def _in_folder(folder: Path) -> list[Path]:
    found = sorted(folder.glob(cartography.PATTERN)) or sorted(
        folder.glob(f"training_dynamics/{cartography.PATTERN}")
    )
    if not found:
        raise LetheError(
            f"{folder} holds no {cartography.PATTERN}; of other formats give the files themselves"
        )
    return found


def sort_into_runs(
    files: Sequence[Path], one_run_a_folder: bool, seeds: Sequence[int] | None
) -> list[Run]:
    """The runs of an import: one a folder for cartography, one a file for the others.

    Seeds are those given, else those in the paths (`seed_3`, `seed3`), else 0, 1, 2, ...; one
    seed may be given for all files. Raises LetheError when seeds and runs cannot be matched.
    """
    groups: dict[Path, list[Path]] = {}
    for file in files:
        groups.setdefault(file.parent if one_run_a_folder else file, []).append(file)
    if seeds and len(seeds) == 1:
        return [Run(seeds[0], tuple(files))]
    names = list(seeds) if seeds else _seeds_in(list(groups))
    if len(names) != len(groups):
        what = "folders" if one_run_a_folder else "files"
        raise LetheError(
            f"{len(names)} seeds were given for {len(groups)} {what}; one each, or one"
        )
    if len(set(names)) < len(names):
        raise LetheError(f"a seed is given twice in {names}; runs need seeds of their own")
    return [Run(name, tuple(group)) for name, group in zip(names, groups.values(), strict=True)]


def _seeds_in(paths: list[Path]) -> list[int]:
    """The seeds that the paths name, if they name different ones; else their positions."""
    found = [SEED.findall("/".join(path.parts[-3:])) for path in paths]
    named = [int(words[-1]) for words in found if words]
    return named if len(set(named)) == len(paths) else list(range(len(paths)))
