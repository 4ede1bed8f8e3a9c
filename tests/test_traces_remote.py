"""Stores at URLs: what is not used is not fetched, what goes wrong is one line.

`memory://` for the rules, a local S3 server for the protocol.
"""

import sys

import fsspec
import pytest
from trace_runs import in_chunks_of_6, samples, seeds_of_23
from typer.testing import CliRunner

from lethe import traces
from lethe.capture.verify import verify_traces
from lethe.cli_traces import traces_app
from lethe.errors import LetheError
from lethe.pages import own_traces
from lethe.traces import packing, places
from lethe.traces.members import Members

NAME = "zoo-tiny-quick"
FILE = f"{NAME}.zarr.zip"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return seeds_of_23(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def path(runs, tmp_path_factory):
    return in_chunks_of_6(runs, tmp_path_factory.mktemp("stores"))


@pytest.fixture
def url(path):
    system = fsspec.filesystem("memory")
    system.pipe_file(f"/bucket/{FILE}", path.read_bytes())
    yield f"memory://bucket/{FILE}"
    system.store.clear()


@pytest.fixture
def requests(monkeypatch):
    """The pieces that are fetched, as (start, end)."""
    found = []
    honest = places.RemoteFile.read

    def read(self, start, end):
        found.append((start, end))
        return honest(self, start, end)

    monkeypatch.setattr(places.RemoteFile, "read", read)
    return found


def test_a_store_at_a_url_is_the_store(path, url):
    there, here = traces.open_traces(url), traces.open_traces(path)
    assert there.load().equals(here.load())
    assert there.encoding["source"] == url
    assert traces.open_traces(NAME, root="memory://bucket").equals(there)
    assert traces.list_traces("memory://bucket") == [NAME]
    assert traces.list_traces("memory://bucket/none") == []


def test_the_fingerprint_says_what_it_is_of(path, url):
    here, there = traces.open_traces(path), traces.open_traces(url)
    assert traces.fingerprint(here) == traces.file_sha256(path)
    assert traces.fingerprint(there) == f"zip-{Members(path).directory_sha256()}"
    assert traces.describe(there)["sha256"].startswith("zip-")
    assert traces.fingerprint(there.isel(seed=0)) == traces.fingerprint(there)


def test_a_block_fetches_its_own_chunks_only(path, url, requests):
    """6 of 23 samples are one chunk of four, of each of three seeds."""
    ds = traces.open_traces(url)
    assert len(requests) == 7  # three of metadata, ids, seeds, epochs, labels
    opening = len(requests)
    block = next(traces.sample_blocks(ds, limit=1))
    chunks = {f"prediction/{seed}.0.0" for seed in range(3)}
    with Members(path) as local:
        wanted = {(one.start, one.end) for name, one in local.entries.items() if name in chunks}
    assert wanted <= set(requests[opening:])
    assert len(requests) - opening <= len(chunks) + 1  # the label
    assert block.sizes["sample"] == 6
    assert sum(end - start for start, end in requests) < path.stat().st_size / 2


def test_compaction_to_a_url_is_the_same_file(runs, path, url):
    out = f"memory://bucket/deep/{FILE}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "SMALL", packing.Packing(6, 9))
        assert traces.compact(runs, out) == out
    assert fsspec.filesystem("memory").cat_file(f"/bucket/deep/{FILE}") == path.read_bytes()


def test_an_upload_that_arrives_changed_is_refused(path, url, monkeypatch):
    monkeypatch.setattr(places.RemoteFile, "read", lambda self, start, end: b"other")
    with pytest.raises(LetheError, match="is not what was sent; send it again, keep the logs"):
        places.upload(path, url)


def flipped(path, name):
    """The bytes of the store with one bit of a member changed."""
    with Members(path) as members:
        entry = members.entries[name]
    data = bytearray(path.read_bytes())
    data[entry.end - 2] ^= 16
    return bytes(data)


def test_damage_is_found_when_it_is_read(path, url):
    fsspec.filesystem("memory").pipe_file(f"/bucket/{FILE}", flipped(path, "loss/1.0.0"))
    ds = traces.open_traces(url)
    assert ds["loss"].isel(seed=0).values.size
    with pytest.raises(LetheError, match=rf"{FILE} is damaged in loss/1\.0\.0; copy"):
        ds["loss"].isel(seed=1).load()
    for look in (traces.verify_store, verify_traces):
        with pytest.raises(LetheError, match=r"is damaged in loss/1\.0\.0"):
            look(url)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_truncated_object_is_refused(path, url, keep):
    data = path.read_bytes()
    cut = data[: int(keep * len(data)) if keep < 1 else keep]
    fsspec.filesystem("memory").pipe_file(f"/bucket/{FILE}", cut)
    with pytest.raises(LetheError, match="is not a complete trace store") as error:
        traces.open_traces(url)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("memory://bucket/zoo-tiny-quik.zarr.zip", f"no such object; did you mean '{FILE}'"),
        ("memory://bucket/other", r"names no trace store; expected .../NAME.zarr.zip"),
        (f"s4://bucket/{FILE}", "Protocol not known: s4; expected a path or s3://"),
    ],
)
def test_what_is_not_there_is_named(url, asked, message):
    with pytest.raises(LetheError, match=message):
        traces.open_traces(asked)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    known = sys.modules["fsspec.registry"]._registry
    monkeypatch.delitem(known, "s3", raising=False)
    with pytest.raises(LetheError, match=r"s3fs.*: pip install 'lethe\[s3\]'") as error:
        traces.open_traces(f"s3://bucket/{FILE}")
    assert "\n" not in str(error.value)


def test_a_page_takes_stores_at_urls(url, tmp_path):
    found = own_traces.find_stores("memory://bucket", tmp_path)
    assert found == [url] == own_traces.find_stores(url, tmp_path)
    with pytest.raises(LetheError, match="holds no stores"):
        own_traces.find_stores("memory://bucket/none", tmp_path)


def test_the_commands_take_urls(url):
    shown = CliRunner().invoke(traces_app, ["show", url])
    assert f"source: {url}" in shown.output.replace("\n", "")
    assert CliRunner().invoke(traces_app, ["list", "memory://bucket"]).output.strip() == NAME
    checked = CliRunner().invoke(traces_app, ["verify", url])
    assert checked.exit_code == 0
    assert "1 x store by checksum" in checked.output


# the protocol


@pytest.fixture(scope="module")
def server():
    moto = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    served = moto.ThreadedMotoServer(port=0, verbose=False)
    served.start()
    host, port = served.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
            patch.setenv(f"AWS_{name}", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield served
    served.stop()


@pytest.fixture(scope="module")
def bucket(server):
    import s3fs

    s3fs.S3FileSystem().mkdir("study")
    return "s3://study"


def test_a_store_goes_to_s3_and_comes_back(bucket, runs, path):
    url = traces.compact(runs, f"{bucket}/traces/{FILE}")
    assert traces.list_traces(f"{bucket}/traces") == [NAME]
    ds = traces.open_traces(url, samples=samples(23)["sample_id"])
    assert ds.load().equals(traces.open_traces(path).load())
    assert verify_traces(url).problems == []


def test_s3_is_asked_for_the_chunks_in_use_only(bucket, path, monkeypatch):
    import s3fs

    s3fs.S3FileSystem().put_file(str(path), f"study/few/{FILE}")
    asked = []
    honest = s3fs.S3FileSystem._call_s3

    async def call(self, method, *args, **more):
        asked.append((method, more.get("Range")))
        return await honest(self, method, *args, **more)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", call)
    ds = traces.open_traces(f"{bucket}/few/{FILE}")
    opening = len(asked)
    next(traces.sample_blocks(ds, limit=1))
    assert opening <= 10  # two for the size, one for the directory
    assert len(asked) - opening <= 4
    assert all(span for method, span in asked if method == "get_object")


def test_s3_errors_say_what_to_do(bucket, path, monkeypatch):
    import s3fs

    with pytest.raises(LetheError, match="there is no such bucket") as error:
        traces.open_traces(f"s3://nowhere/{FILE}")
    assert "\n" not in str(error.value)
    with pytest.raises(LetheError, match="there is no such bucket"):
        traces.list_traces("s3://nowhere")
    s3fs.S3FileSystem().put_file(str(path), f"study/near/{FILE}")
    with pytest.raises(LetheError, match=f"there is no such object; did you mean '{FILE}'"):
        traces.open_traces(f"{bucket}/near/zoo-tiny-quik.zarr.zip")


def test_no_credentials_are_named(server, monkeypatch, tmp_path):
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"AWS_{name}")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("CONFIG_FILE", "SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(f"AWS_{name}", str(tmp_path / "none"))
    with pytest.raises(LetheError, match="no credentials were found; set AWS_ACCESS_KEY_ID"):
        traces.open_traces(f"s3://study/{FILE}")
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_server_that_does_not_answer_is_named(monkeypatch):
    pytest.importorskip("s3fs").S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(LetheError, match="check the network and AWS_ENDPOINT_URL"):
        traces.open_traces(f"s3://study/{FILE}")
