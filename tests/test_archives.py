"""lethe.datasets.archives: whole archives come out whole, hostile ones not at all."""

import gzip
import io
import os
import stat
import tarfile
import zipfile

import pytest

from lethe.datasets import archives
from lethe.datasets.archives import unpack
from lethe.errors import LetheError

FILES = {"set/a/1.jpg": b"one", "set/a/2.jpg": b"two" * 1000, "set/list.txt": b"1 2\n"}


def make_tar(path, members, kind=tarfile.REGTYPE, mode="w:gz"):
    with tarfile.open(path, mode) as file:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(data), kind
            info.linkname = "elsewhere"
            file.addfile(info, io.BytesIO(data))
    return path


def make_zip(path, members, mode=0o644):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            info = zipfile.ZipInfo("x")
            info.filename = name  # as it is: ZipInfo would tidy it
            info.external_attr = (mode | stat.S_IFREG if mode < 0o10000 else mode) << 16
            file.writestr(info, data)
    return path


MAKERS = {"a.tar.gz": make_tar, "a.tgz": make_tar, "a.zip": make_zip}


def contents(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("inside", ["", "set"])
def test_a_whole_archive_comes_out_whole(tmp_path, name, inside):
    archive = MAKERS[name](tmp_path / name, FILES.items())
    holds = "list.txt" if inside else "set/list.txt"
    unpack([archive], tmp_path / "out", holds, inside)
    cut = len("set/") if inside else 0
    assert contents(tmp_path / "out") == {name[cut:]: data for name, data in FILES.items()}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "out"])


def test_folders_in_archives_and_plain_files_beside_them(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        folder = tarfile.TarInfo("./set/empty")
        folder.type = tarfile.DIRTYPE
        file.addfile(folder)
    archive = make_zip(tmp_path / "a.zip", [*FILES.items(), ("set/other/", b"")])
    (tmp_path / "labels.csv").write_text("a,b\n")
    (tmp_path / "out").mkdir()
    unpack([archive, tmp_path / "a.tar", tmp_path / "labels.csv"], tmp_path / "out", "labels.csv")
    assert contents(tmp_path / "out") == FILES | {"labels.csv": b"a,b\n"}


OUTSIDE = ["/etc/x", "../x", "set/../../x", "..", "C:x", "a\\..\\x", "set\\x", " ", "a\nb"]


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
@pytest.mark.parametrize("member", OUTSIDE)
def test_members_outside_the_folder_are_refused(tmp_path, name, member):
    refused(tmp_path, MAKERS[name](tmp_path / name, [*FILES.items(), (member, b"!")]), "outside")


def refused(tmp_path, archive, match):
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LetheError, match=match) as caught:
        unpack([archive], tmp_path / "out", "set")
    assert "\n" not in str(caught.value)
    assert archive.name in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    archive = make_tar(tmp_path / "a.tar.gz", [("set/link", b"")], kind)
    refused(tmp_path, archive, "link or device")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip_are_refused(tmp_path, kind):
    archive = make_zip(tmp_path / "a.zip", [("set/link", b"/etc/passwd")], kind | 0o777)
    refused(tmp_path, archive, "link or device")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
@pytest.mark.parametrize("again", ["set/list.txt", "set/./list.txt", "set//list.txt"])
def test_a_member_twice_is_refused(tmp_path, name, again):
    archive = MAKERS[name](tmp_path / name, [*FILES.items(), (again, b"other")])
    refused(tmp_path, archive, "twice")


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
@pytest.mark.parametrize("clash", ["set/list.txt/below", "set/a"])
def test_a_file_where_a_folder_is_needed_is_refused(tmp_path, name, clash):
    archive = MAKERS[name](tmp_path / name, [*FILES.items(), (clash, b"other")])
    refused(tmp_path, archive, "clash")


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
@pytest.mark.parametrize(("limit", "value"), [("MOST_BYTES", 3000), ("MOST_MEMBERS", 2)])
def test_absurd_totals_are_refused_before_they_are_written(
    tmp_path, monkeypatch, name, limit, value
):
    monkeypatch.setattr(archives, limit, value)
    refused(tmp_path, MAKERS[name](tmp_path / name, FILES.items()), "more than")


def test_a_bomb_is_refused_by_what_it_declares(tmp_path):
    archive = tmp_path / "a.tar.gz"
    info = tarfile.TarInfo("set/huge")
    info.size = archives.MOST_BYTES + 1
    archive.write_bytes(gzip.compress(info.tobuf() + bytes(10240)))
    refused(tmp_path, archive, "more than")


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_archive_leaves_nothing(tmp_path, name, keep):
    noise = [(f"set/{n}", os.urandom(3000)) for n in range(20)]
    archive = MAKERS[name](tmp_path / name, noise)
    data = archive.read_bytes()
    archive.write_bytes(data[: int(keep * len(data))])
    refused(tmp_path, archive, "damaged|cut short")


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_a_flipped_byte_leaves_nothing(tmp_path, name):
    archive = MAKERS[name](tmp_path / name, [("set/1", os.urandom(50_000))])
    data = bytearray(archive.read_bytes())
    data[25_000] ^= 0xFF
    archive.write_bytes(data)
    refused(tmp_path, archive, "damaged|cut short")


def test_an_encrypted_member_is_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", FILES.items())
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    refused(tmp_path, archive, "encrypted")


def test_another_archive_is_refused(tmp_path):
    archive = make_zip(tmp_path / "a.zip", FILES.items())
    with pytest.raises(LetheError, match=r"has no tiny/val"):
        unpack([archive], tmp_path / "out", "val", "tiny")
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    archive = make_zip(tmp_path / "a.zip", FILES.items())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("keep")
    with pytest.raises(LetheError, match="not empty"):
        unpack([archive], tmp_path / "out", "set")
    assert contents(tmp_path / "out") == {"mine": b"keep"}


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip"])
def test_a_kill_at_any_member_leaves_nothing_and_the_next_time_is_whole(
    tmp_path, monkeypatch, name
):
    archive = MAKERS[name](tmp_path / name, FILES.items())
    write = archives._write
    for stop in range(len(FILES)):
        seen = []

        def killed(*given, stop=stop, seen=seen):
            seen.append(given)
            if len(seen) > stop:
                raise SystemExit
            write(*given)

        with monkeypatch.context() as patch:
            patch.setattr(archives, "_write", killed)
            patch.setattr(archives.shutil, "rmtree", lambda *_, **__: None)  # as SIGKILL would
            with pytest.raises((SystemExit, LetheError)):
                unpack([archive], tmp_path / "out", "set")
        assert not (tmp_path / "out").exists()
        assert (tmp_path / "out.part").exists()
        archives.shutil.rmtree(tmp_path / "out.part")
    (tmp_path / "out.part").mkdir()
    (tmp_path / "out.part" / "half").write_text("old")
    unpack([archive], tmp_path / "out", "set")
    assert contents(tmp_path / "out") == FILES
    assert not (tmp_path / "out.part").exists()
