"""The built book as one zip file for reading offline: `make zip`.

    python -m lethe.pages.archive [--out DIR]

The same pages give the same file, byte for byte: entries are sorted and carry a fixed time. It
unpacks to one folder and needs no server. Cost: about 5 s for 70 MB.
"""

import argparse
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from lethe.errors import LetheError
from lethe.pages.contents import NOT_BUILT

ROOT = Path(__file__).resolve().parents[3]
FOLDER = "lethe-html"
TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can hold
MODE = 0o100644 << 16  # a file that all may read
SKIP = {".buildinfo", "objects.inv"}  # for other builds, not for readers


def write_zip(html: Path, target: Path) -> Path:
    """Pack the built book under `html` into the file `target` and return it.

    Raises LetheError when the book is not built.
    """
    if not (html / "index.html").is_file():
        raise LetheError(NOT_BUILT.format(html))
    files = sorted(path for path in html.rglob("*") if path.is_file() and path.name not in SKIP)
    part = target.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in files:
            name = f"{FOLDER}/{path.relative_to(html).as_posix()}"
            entry = zipfile.ZipInfo(name, TIME)
            entry.external_attr, entry.create_system = MODE, 3  # 3: Unix, on every system
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return part.replace(target)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, pack, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lethe.pages.archive")
    parser.add_argument("--out", type=Path, default=ROOT / "_build", help="where the book is built")
    out = parser.parse_args(arguments).out
    try:
        target = write_zip(out / "html", out / "lethe-html.zip")
    except LetheError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"== {target} ({target.stat().st_size / 1e6:.0f} MB): unpack, open {FOLDER}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
