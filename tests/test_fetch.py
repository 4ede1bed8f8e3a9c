"""lethe.datasets.fetch: whole data sets, from a server on this machine."""

import hashlib
import io
import json
import zipfile

import pytest
from web_server import NOISE, serving, sha

from lethe.datasets import download as download_module
from lethe.datasets import fetch as fetch_module
from lethe.datasets import sources, transfer
from lethe.datasets.fetch import fetch, published
from lethe.datasets.sources import SOURCES, Part, Source, find_source
from lethe.errors import LetheError


@pytest.fixture
def server(monkeypatch):
    with serving(monkeypatch) as server:
        yield server


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_DATASETS", str(tmp_path / "datasets"))
    return tmp_path / "datasets"


def zip_of(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    return out.getvalue()


TINY = {"tiny/val/list.txt": b"1\n", "tiny/train/a/1.jpg": NOISE[:1000]}


@pytest.fixture
def tiny(server, home, monkeypatch):
    """A small data set `tiny` on the server."""
    data = zip_of(TINY)
    server.files["/tiny.zip"] = data
    part = Part("tiny.zip", (server.address + "/tiny.zip",), len(data), (sha(data),))
    source = Source("tiny", "https://example.org/tiny", "free", (part,), "val/list.txt", "tiny")
    monkeypatch.setitem(sources.SOURCES, "tiny", source)
    monkeypatch.setitem(sources.SAME_FOLDER, "tiny7", "tiny")
    return source


def test_fetch_brings_a_data_set_and_leaves_a_complete_one_alone(server, home, tiny, capsys):
    folder = fetch("tiny")
    assert folder == home / "tiny"
    assert (folder / "train/a/1.jpg").read_bytes() == NOISE[:1000]
    about = json.loads((folder / "fetched.json").read_text())
    assert about["terms"] == "free"
    assert "sha256:" + about["files"][0]["sha256"] in tiny.parts[0].checksums
    assert "https://example.org/tiny" in capsys.readouterr().err
    assert fetch("tiny") == fetch("tiny7") == folder
    assert len(server.requests) == 1


def test_fetch_into_a_folder_of_ones_own(server, home, tiny, tmp_path):
    mine = tmp_path / "some" / "where"
    assert fetch("tiny", mine) == mine
    assert (mine / "val/list.txt").exists()
    assert fetch("tiny") == home / "tiny"
    assert len(server.requests) == 1  # the archive is kept


def test_fetch_leaves_a_folder_with_other_things_alone(server, home, tiny, tmp_path):
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(LetheError, match=r"is not empty and has no val/list.txt"):
        fetch("tiny", tmp_path)
    with pytest.raises(LetheError, match="is not empty"):
        fetch("tiny", tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "keep"
    assert not server.requests


def test_a_fetch_that_was_killed_while_unpacking_starts_that_again(server, home, tiny, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("lethe.datasets.archives._write", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fetch("tiny")
    assert not (home / "tiny").exists()
    fetch("tiny")
    assert len(server.requests) == 1


def test_two_at_once_are_told(home, tiny):
    archives = home / "archives" / "tiny"
    archives.mkdir(parents=True)
    with (
        fetch_module.lock(archives / "lock"),
        pytest.raises(LetheError, match="another process"),
    ):
        fetch("tiny")


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(LetheError, match="did you mean 'cub200'"):
        fetch("cub20")
    with pytest.raises(LetheError, match="nothing to fetch for 'glyphs'"):
        fetch("glyphs")
    assert find_source("cifar7") is SOURCES["cifar10"]


@pytest.fixture
def listed(server, home, monkeypatch):
    """A data set whose checksums come from its publisher's list."""
    files = {"set.zip": zip_of({"OCTDL/AMD/1.jpg": b"1"}), "labels.csv": b"file_name\n1\n"}
    for name, data in files.items():
        server.files["/" + name] = data
    parts = tuple(Part(name, (f"{server.address}/{name}",)) for name in files)
    source = Source("listed", "p", "t", parts, "labels.csv", "", server.address + "/list")
    monkeypatch.setitem(sources.SOURCES, "listed", source)
    rows = [
        {
            "filename": name,
            "content_details": {
                "download_url": f"https://example.org/{name}",
                "sha256_hash": hashlib.sha256(data).hexdigest(),
                "size": len(data),
            },
        }
        for name, data in files.items()
    ]
    return source, rows


def test_the_publishers_list_gives_address_size_and_checksum(server, listed):
    source, rows = listed
    server.files["/list"] = json.dumps([{"filename": "other"}, *rows]).encode()
    found = published(source)
    assert set(found) == {"set.zip", "labels.csv"}
    part = found["labels.csv"]
    assert part.checksums == (sha(b"file_name\n1\n"),)
    assert part.size == 12
    assert part.addresses[0] == "https://example.org/labels.csv"


@pytest.mark.parametrize(
    "text", [None, b"<html>", b"{}", b"[1, null]", b'[{"filename": "set.zip"}]']
)
def test_without_the_list_files_are_recorded_at_their_first_arrival(
    server, home, listed, text, capsys
):
    if text is not None:
        server.files["/list"] = text
    folder = fetch("listed")
    assert (folder / "OCTDL/AMD/1.jpg").read_bytes() == b"1"
    assert capsys.readouterr().err.count("no published checksum") == 2


def test_what_the_list_vouches_for_is_compared(server, home, listed, monkeypatch, capsys):
    _, rows = listed
    server.files["/list"] = json.dumps(rows).encode()
    offline = transfer.transfer

    def redirected(address, *given, **named):
        here = server.address + "/" + address.rsplit("/", 1)[1]
        return offline(here, *given, **named)

    monkeypatch.setattr(download_module, "transfer", redirected)
    server.files["/set.zip"] = zip_of({"OCTDL/AMD/1.jpg": b"2"})
    with pytest.raises(LetheError, match=r"set.zip came with"):
        fetch("listed")
    server.files["/set.zip"] = zip_of({"OCTDL/AMD/1.jpg": b"1"})
    fetch("listed")
    assert "no published checksum" not in capsys.readouterr().err


def test_the_sources_are_well_formed():
    for name, source in SOURCES.items():
        assert source.name == name
        assert source.page.startswith("https://")
        assert source.parts
        for part in source.parts:
            assert all(address.startswith(("https://", "http://")) for address in part.addresses)
            for checksum in part.checksums:
                algorithm, _, digest = checksum.partition(":")
                assert len(digest) == 2 * hashlib.new(algorithm).digest_size
            assert part.checksums or source.listing
            unencrypted = [a for a in part.addresses if a.startswith("http:")]
            assert not unencrypted or part.checksums
