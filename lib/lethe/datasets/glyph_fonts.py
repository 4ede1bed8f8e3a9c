"""The fonts that the glyphs are drawn from: the committed list, and fetching them.

Definition: `fonts.csv` has one line per font file (task, family, style, scripts, package, path in
the package, symbols, reason); `packages.csv` one per Debian package (version, licence, copyright).
`symbols` is `all` or `letters` where those code points hold pictures or another script's letters;
`reason` says what was seen. Cost: about 250 MB of downloads, nothing is installed.
"""

import shutil
import subprocess
from pathlib import Path

import pandas as pd

from lethe.errors import LetheError

LISTS = ("fonts.csv", "packages.csv")


def read_recipe(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the list of font files, and the list of packages indexed by package.

    Raises LetheError where a list is missing or a font's package is not in the second list.
    """
    for name in LISTS:
        if not (folder / name).is_file():
            raise LetheError(f"no {name} in {folder}; restore it with `git checkout data/glyphs`")
    fonts, packages = (pd.read_csv(folder / n, dtype=str, keep_default_na=False) for n in LISTS)
    unknown = sorted(set(fonts.package) - set(packages.package))
    if unknown:
        raise LetheError(f"packages.csv has no licence for {unknown[0]}; add its line")
    return fonts, packages.set_index("package")


def fetch_fonts(packages: pd.DataFrame, scratch: Path) -> None:
    """Download the listed packages that `scratch` lacks and unpack each into `scratch`/package.

    Raises LetheError where apt or dpkg-deb is missing or the release has no such version.
    """
    wanted = {p: v for p, v in packages.package_version.items() if not (scratch / p).is_dir()}
    if wanted and not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise LetheError("apt-get and dpkg-deb are needed; build the glyphs on Debian 12")
    scratch.mkdir(parents=True, exist_ok=True)
    for package, version in wanted.items():
        _fetch(package, version, scratch)


def _fetch(package: str, version: str, scratch: Path) -> None:
    for left in scratch.glob(f"{package}_*.deb"):
        left.unlink()
    _run(["apt-get", "download", "-q", f"{package}={version}"], scratch)
    archive = next(scratch.glob(f"{package}_*.deb"))
    unpacked = scratch / f"{package}.part"
    shutil.rmtree(unpacked, ignore_errors=True)
    _run(["dpkg-deb", "-x", archive.name, unpacked.name], scratch)
    unpacked.rename(scratch / package)
    archive.unlink()


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise LetheError(f"`{' '.join(command)}` failed ({said}); run apt-get update on Debian 12")
