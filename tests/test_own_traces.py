"""`-p traces=PATH`: stores, runs and folders in the place of a page's own traces."""

import json
import shutil

import pytest
import small_checkout
from trace_runs import capture

from lethe.errors import LetheError
from lethe.pages import grid, own_traces, rerun
from lethe.pages.parameters import Parameter, check_values
from lethe.traces import open_traces

PAIR = {
    "dataset": Parameter("dataset", "str", "zoo", ""),
    "beside": Parameter("beside", "str", "", ""),
    "models": Parameter("models", "list", ["tiny", "small"], ""),
    "preset": Parameter("preset", "str", "quick", ""),
}
ONE = {"traces_a": Parameter("traces_a", "str", "zoo-tiny-quick", "")}
BOTH = ONE | {"traces_b": Parameter("traces_b", "str", "zoo-small-quick", "")}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A checkout; in `mine` two stores, in `runs` two seeds each of two networks."""
    root = small_checkout.make(tmp_path_factory.mktemp("checkout"))
    (root / "mine").mkdir()
    for model in ("tiny", "small"):
        shutil.copy(
            root / f"data/traces/zoo-{model}-quick.zarr.zip", root / "mine" / f"{model}.zarr.zip"
        )
        for seed in (0, 1):
            capture(root / "runs" / f"{model}-{seed}", seed, model=model, dataset="pets")
    capture(root / "foreign", n=4)
    (root / "empty").mkdir()
    (root / "notes.txt").write_text("not traces")
    return root


@pytest.fixture(autouse=True)
def here(root, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.setattr(rerun, "ROOT", root)
    monkeypatch.setenv("LETHE_DATA", str(root / "data"))


def test_two_stores_take_the_place_of_the_models(root, tmp_path):
    given = {"traces": "mine/tiny.zarr.zip,mine/small.zarr.zip"}
    found = own_traces.resolve("finding", PAIR, given, tmp_path)
    stores = [str(root / f"mine/{model}.zarr.zip") for model in ("tiny", "small")]
    assert found == {"models": ",".join(stores), "dataset": "zoo", "preset": "quick", "beside": ""}
    assert check_values("finding", PAIR, found)["models"] == stores


def test_a_folder_of_stores_and_a_pattern_do_too(root, tmp_path):
    folder = own_traces.resolve("finding", PAIR, {"traces": "mine"}, tmp_path)
    assert folder == own_traces.resolve("finding", PAIR, {"traces": "mine/*.zarr.zip"}, tmp_path)


@pytest.mark.parametrize(
    "text", ["runs", "runs/*", "runs/tiny-0,runs/tiny-1,runs/small-0,runs/small-1"]
)
def test_runs_are_compacted_the_seeds_of_one_configuration_together(text, tmp_path):
    found = own_traces.resolve("finding", PAIR, {"traces": text}, tmp_path)
    models = [open_traces(path) for path in found["models"].split(",")]
    assert {ds.attrs["model"] for ds in models} == {"tiny", "small"}
    assert [ds.sizes["seed"] for ds in models] == [2, 2]
    assert found["dataset"] == "pets"
    assert len(list(tmp_path.glob("pets-*.zarr.zip"))) == 2


def test_pages_that_read_one_store_take_one_after_another(root, tmp_path):
    found = own_traces.resolve("curves", ONE, {"traces": "mine"}, tmp_path)
    rows = grid.combinations("curves", ONE, found)
    assert [row["traces_a"] for row in rows] == [
        str(root / "mine/small.zarr.zip"),
        str(root / "mine/tiny.zarr.zip"),
    ]
    two = own_traces.resolve("glance", BOTH, {"traces": "mine"}, tmp_path)
    assert list(two) == ["traces_a", "traces_b"]


def test_a_shipped_store_may_stand_beside(tmp_path):
    given = {"traces": "zoo-tiny-quick,mine/small.zarr.zip"}
    assert own_traces.resolve("finding", PAIR, given, tmp_path)["models"].count(",") == 1


@pytest.mark.parametrize(
    ("known", "traces", "message"),
    [
        (PAIR, "mine/tiny.zarr.zip", "compares two networks .*names 1: tiny.*traces=FIRST,SECOND"),
        (PAIR, "mine/tiny.zarr.zip,mine", "names 3"),
        (PAIR, "mine/tiny.zarr.zip,mine/tiny.zarr.zip", "they are the same traces"),
        (PAIR, "mine/tiny.zarr.zip,foreign", "cannot stand next to .* 0 foreign and 2 missing"),
        (PAIR, "mine/tinny.zarr.zip", "nothing at mine/tinny.zarr.zip; did you mean 'tiny.zarr"),
        (PAIR, "zoo-tiny-quik", "nothing at zoo-tiny-quik; did you mean 'zoo-tiny-quick'"),
        (PAIR, "nowhere/tiny.zarr.zip", "there is nothing at nowhere/tiny.zarr.zip"),
        (PAIR, "notes.txt", "notes.txt is no trace store; expected NAME.zarr.zip"),
        (PAIR, "empty", "empty holds neither stores"),
        (PAIR, " , ", "traces names nothing"),
        (BOTH, "mine/tiny.zarr.zip", "glance reads 2 stores, and traces names 1"),
        ({"seeds": Parameter("seeds", "int", 1, "")}, "mine", "reads no traces of your own"),
    ],
)
def test_what_does_not_fit_is_refused(known, traces, message, tmp_path):
    page = "glance" if known is BOTH else "finding"
    with pytest.raises(LetheError, match=message) as error:
        own_traces.resolve(page, known, {"traces": traces}, tmp_path / "out")
    assert "\n" not in str(error.value)


def test_a_damaged_store_is_refused(root, tmp_path):
    data = (root / "mine" / "tiny.zarr.zip").read_bytes()
    (tmp_path / "cut.zarr.zip").write_bytes(data[: len(data) // 2])
    given = {"traces": f"{tmp_path / 'cut.zarr.zip'}"}
    with pytest.raises(LetheError, match=r"traces: .*not a complete trace store"):
        own_traces.resolve("curves", ONE, given, tmp_path)


def test_traces_and_models_together_are_refused(tmp_path):
    given = {"traces": "mine", "models": "tiny,small"}
    with pytest.raises(LetheError, match="give traces or models, not both"):
        own_traces.resolve("finding", PAIR, given, tmp_path)


def test_nothing_is_compacted_if_another_parameter_is_refused(tmp_path):
    with pytest.raises(LetheError, match="no parameter 'presset'"):
        grid.rerun_page("finding", {"traces": "runs", "presset": "x"}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_page_runs_on_runs_of_ones_own(tmp_path):
    path = grid.rerun_page("finding", {"traces": "runs"}, tmp_path / "out")
    made = json.loads(path.with_suffix(".json").read_text())
    assert made["command"] == "lethe rerun finding -p traces=runs"
    assert [store["seeds"] for store in made["stores"]] == [2, 2]
    assert made["parameters"]["dataset"] == "pets"
