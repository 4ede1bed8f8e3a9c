"""One file over HTTP: resumed, checked, complete or not there."""

import hashlib
import io
import json
import re
import signal
import subprocess
import sys
import time

import pytest
from web_server import NOISE, serving, sha

from lethe.datasets import download as download_module
from lethe.datasets import transfer
from lethe.datasets.sources import Part
from lethe.errors import LetheError


@pytest.fixture
def server(monkeypatch):
    with serving(monkeypatch) as server:
        yield server


@pytest.fixture
def noise(server, tmp_path):
    """A part of known checksum on the server, and the folder it goes to."""
    server.files["/noise.bin"] = NOISE
    (tmp_path / "to").mkdir()
    checks = ("md5:" + hashlib.md5(NOISE).hexdigest(), sha(NOISE))
    return Part("noise.bin", (server.address + "/noise.bin",), len(NOISE), checks)


def get(part, tmp_path):
    return download_module.download(part, tmp_path / "to", "https://example.org/page")


def ranges(server):
    return [request.get("Range") for request in server.requests]


def test_a_file_comes_whole_and_is_not_asked_for_again(server, noise, tmp_path):
    for _ in range(2):
        assert get(noise, tmp_path).read_bytes() == NOISE
    assert len(server.requests) == 1
    assert sorted(p.name for p in (tmp_path / "to").iterdir()) == ["noise.bin", "noise.bin.json"]
    assert "lethe" in server.requests[0]["User-Agent"]


def test_a_broken_transfer_goes_on_where_it_stopped(server, noise, tmp_path):
    server.plan = ["break", "break", "break"]
    assert get(noise, tmp_path).read_bytes() == NOISE
    assert ranges(server) == [None, "bytes=300000-", "bytes=450000-", "bytes=525000-"]
    assert all("If-Range" in request for request in server.requests[1:])


def test_a_server_without_ranges_sends_everything_again(server, noise, tmp_path):
    server.plan, server.ranges = ["break", "break", "whole"], False
    assert get(noise, tmp_path).read_bytes() == NOISE


def test_a_server_that_names_no_version_is_continued_only_with_a_checksum(server, noise, tmp_path):
    server.plan, server.versions = ["break", "whole"], False
    assert get(noise, tmp_path).read_bytes() == NOISE
    assert ranges(server) == [None, "bytes=300000-"]
    server.plan, server.requests = ["break", "whole"], []
    (tmp_path / "to" / "noise.bin").unlink()
    (tmp_path / "to" / "noise.bin.json").unlink()
    assert get(Part("noise.bin", noise.addresses), tmp_path).read_bytes() == NOISE
    assert ranges(server) == [None, None]


def test_a_file_that_changed_meanwhile_is_taken_afresh(server, noise, tmp_path):
    server.files["/noise.bin"] = NOISE[::-1]
    server.plan = ["break", *["nothing"] * transfer.TRIES]
    with pytest.raises(LetheError, match="broke off"):
        get(noise, tmp_path)
    assert (tmp_path / "to" / "noise.bin.part").stat().st_size == 300_000
    server.files["/noise.bin"] = NOISE
    assert get(noise, tmp_path).read_bytes() == NOISE


def test_a_changed_file_from_a_server_that_ignores_if_range(server, noise, tmp_path, monkeypatch):
    server.files["/noise.bin"] = NOISE[::-1]
    server.plan = ["break", *["nothing"] * transfer.TRIES]
    with pytest.raises(LetheError):
        get(noise, tmp_path)
    server.files["/noise.bin"] = NOISE
    always = lambda handler, tag: int((handler.headers.get("Range") or "bytes=0-")[6:-1])  # noqa: E731
    monkeypatch.setattr(server, "start_of", always)
    assert get(noise, tmp_path).read_bytes() == NOISE


def test_what_is_here_is_longer_than_the_file(server, noise, tmp_path):
    server.plan = ["break", *["nothing"] * transfer.TRIES]
    with pytest.raises(LetheError):
        get(noise, tmp_path)
    part = tmp_path / "to" / "noise.bin.part"
    part.write_bytes(part.read_bytes() + NOISE)
    assert get(noise, tmp_path).read_bytes() == NOISE


def test_killed_between_the_last_byte_and_the_name(server, noise, tmp_path):
    file = get(noise, tmp_path)
    file.rename(transfer.part_of(file))
    tag = f'"{hashlib.md5(NOISE).hexdigest()}"'
    about = {"address": noise.addresses[0], "version": tag, "total": len(NOISE)}
    transfer._state_file(file).write_text(json.dumps(about))
    assert get(noise, tmp_path).read_bytes() == NOISE
    assert ranges(server) == [None, "bytes=600000-"]  # answered with 416: there is no more


def test_a_server_that_stops_sending_is_given_up(server, noise, tmp_path):
    server.plan = ["nothing"] * 100
    with pytest.raises(LetheError, match=r"noise.bin: 127.0.0.1:\d+ broke off\. Repeat when"):
        get(noise, tmp_path)
    assert len(server.requests) == transfer.TRIES


def test_an_answer_without_length_is_taken_and_checked(server, noise, tmp_path):
    server.plan = ["no length"]
    assert get(noise, tmp_path).read_bytes() == NOISE


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_says_what_to_do_by_hand(server, noise, tmp_path, status):
    server.plan = [status]
    with pytest.raises(LetheError) as caught:
        get(noise, tmp_path)
    text = str(caught.value)
    assert f"HTTP {status}" in text
    assert "https://example.org/page" in text
    assert str(tmp_path / "to" / "noise.bin") in text
    assert "\n" not in text
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_passing_refusal_is_tried_again(server, noise, tmp_path, status):
    server.plan = [status, "break", status]
    assert get(noise, tmp_path).read_bytes() == NOISE


def test_a_page_of_a_captive_portal_is_not_the_file(server, noise, tmp_path):
    server.plan = ["page"]
    with pytest.raises(LetheError, match="web page instead of the file"):
        get(noise, tmp_path)
    assert not list((tmp_path / "to").iterdir())


def test_offline_is_one_line_at_once(noise, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "PAUSE", 100.0)
    closed = Part("noise.bin", ("http://127.0.0.1:9/noise.bin",), 5, noise.checksums)
    with pytest.raises(LetheError) as caught:
        get(closed, tmp_path)
    assert re.search(r"no connection to 127.0.0.1:9 .*Repeat when online", str(caught.value))
    assert "\n" not in str(caught.value)


def test_the_second_address_is_asked_when_the_first_fails(server, noise, tmp_path):
    both = ("http://127.0.0.1:9/noise.bin", *noise.addresses)
    part = Part("noise.bin", both, noise.size, noise.checksums)
    assert get(part, tmp_path).read_bytes() == NOISE


@pytest.mark.parametrize("wrong", ["bytes", "length"])
def test_wrong_bytes_are_thrown_away_and_named(server, noise, tmp_path, wrong):
    served = bytearray(NOISE)
    served[-1] ^= 1
    server.files["/noise.bin"] = bytes(served if wrong == "bytes" else NOISE[:-1])
    with pytest.raises(LetheError, match=r"came with .* instead of"):
        get(noise, tmp_path)
    assert not (tmp_path / "to" / "noise.bin").exists()
    server.files["/noise.bin"] = NOISE
    assert get(noise, tmp_path).read_bytes() == NOISE


def test_each_checksum_counts(server, noise, tmp_path):
    part = Part("noise.bin", noise.addresses, 0, (noise.checksums[0], sha(b"other")))
    with pytest.raises(LetheError, match="came with sha256"):
        get(part, tmp_path)


def test_a_file_put_there_by_hand_is_checked(server, noise, tmp_path):
    (tmp_path / "to" / "noise.bin").write_bytes(NOISE)
    get(noise, tmp_path)
    assert not server.requests
    (tmp_path / "to" / "noise.bin").write_bytes(NOISE[1:])
    with pytest.raises(LetheError, match=r"599,999 bytes instead of 600,000; delete it"):
        get(noise, tmp_path)


def test_a_file_without_published_checksum_is_held_to_its_first_arrival(
    server, noise, tmp_path, capsys
):
    part = Part("noise.bin", noise.addresses)
    file = get(part, tmp_path)
    told = capsys.readouterr().err
    assert "no published checksum" in told
    assert hashlib.sha256(NOISE).hexdigest() in told
    get(part, tmp_path)
    assert capsys.readouterr().err == ""
    file.write_bytes(NOISE[::-1])
    with pytest.raises(LetheError, match=r"has sha256 .* instead of"):
        get(part, tmp_path)
    file.unlink()
    server.files["/noise.bin"] = NOISE[::-1]
    with pytest.raises(LetheError, match="came with sha256"):
        get(part, tmp_path)


def test_a_full_disk_is_one_line(server, noise, tmp_path, monkeypatch):
    class Full(io.BytesIO):
        name = "there"

        def write(self, _):
            raise OSError(28, "No space left on device")

        def fileno(self):
            return 2

    monkeypatch.setattr(transfer, "open", lambda *_: Full(), raising=False)
    monkeypatch.setattr(transfer.os, "fsync", lambda _: None)
    with pytest.raises(LetheError, match="cannot write there: No space left"):
        get(noise, tmp_path)


KILLED = """
import sys
from pathlib import Path
from lethe.datasets.download import download
from lethe.datasets.sources import Part
download(Part("noise.bin", (sys.argv[1],), 0, (sys.argv[2],)), Path(sys.argv[3]), "page")
"""


def test_a_kill_in_the_middle_is_resumed(server, noise, tmp_path):
    server.pause = 0.02
    given = [noise.addresses[0], noise.checksums[1], str(tmp_path / "to")]
    child = subprocess.Popen([sys.executable, "-c", KILLED, *given])
    part, deadline = tmp_path / "to" / "noise.bin.part", time.time() + 60
    while time.time() < deadline and not (part.exists() and part.stat().st_size):
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    here = part.stat().st_size
    assert 0 < here < len(NOISE)
    server.pause = 0.0
    assert get(noise, tmp_path).read_bytes() == NOISE
    assert ranges(server)[-1] == f"bytes={here}-"
