"""`lethe fetch`: a public data set in its official layout, downloaded, checked and unpacked.

Definition: archives are kept in `archives` of the data sets' folder and may be deleted; the data
set's folder appears when it is complete, with `fetched.json`, which names addresses, sizes and
sha256. A complete folder is left alone and needs no network. Cost: the download (162 MB to 1.2 GB)
and twice its size on disk.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from lethe.datasets.archives import unpack
from lethe.datasets.download import download, record_file
from lethe.datasets.sources import Part, Source, find_source
from lethe.datasets.transfer import NotTransferred, read_address
from lethe.errors import LetheError
from lethe.paths import datasets_folder
from lethe.traces.files import lock, make_folder, read_json, write_json


def fetch(name: str, root: Path | None = None) -> Path:
    """Return the folder of a data set, fetching it if it is not there.

    `root` is the folder to make (default: `name` in the data sets' folder). Raises LetheError for
    an unknown name, a folder with something else in it, and whatever keeps the files from coming.
    """
    source = find_source(name)
    folder = datasets_folder() / source.name if root is None else Path(root)
    if (folder / source.holds).exists():
        return folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LetheError(
            f"{folder} is not empty and has no {source.holds}; move it away or give another --root"
        )
    archives = datasets_folder() / "archives" / source.name
    make_folder(archives)
    make_folder(folder.parent)
    with lock(archives / "lock"):
        if not (folder / source.holds).exists():
            _fill(source, folder, archives)
    return folder


def _fill(source: Source, folder: Path, archives: Path) -> None:
    parts = [part for part in source.parts if not (archives / part.file).exists()]
    listed = published(source) if source.listing and parts else {}
    screen = Console(stderr=True, soft_wrap=True)
    screen.print(f"{source.name} ({source.page}): {source.terms}", highlight=False)
    files = [download(listed.get(part.file, part), archives, source.page) for part in source.parts]
    unpack(files, folder, source.holds, source.inside)
    about: dict[str, Any] = {"page": source.page, "terms": source.terms}
    about["files"] = [read_json(record_file(file)) for file in files]
    write_json(folder / "fetched.json", about)


def published(source: Source) -> dict[str, Part]:
    """The parts of a source as its publisher lists them today, with address, size and sha256.

    A list that cannot be read, or does not name a file, leaves that file as the source has it.
    """
    try:
        rows = json.loads(read_address(source.listing))
    except (NotTransferred, ValueError):
        return {}
    found = {}
    for part in source.parts:
        for row in rows if isinstance(rows, list) else []:
            listed = _listed(part, row)
            if listed:
                found[part.file] = listed
    return found


def _listed(part: Part, row: Any) -> Part | None:
    """The part as a row of a Mendeley Data file list gives it, if it is about that file."""
    try:
        if row["filename"] != part.file:
            return None
        about = row["content_details"]
        address, digest = str(about["download_url"]), str(about["sha256_hash"]).lower()
        size = int(about["size"])
    except (KeyError, TypeError, ValueError):
        return None
    if not address.startswith("https://") or len(digest) != 64:
        return None
    return replace(
        part, addresses=(address, *part.addresses), size=size, checksums=(f"sha256:{digest}",)
    )
