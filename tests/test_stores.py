"""The stores behind a page: names that are known, two networks, the same images and labels."""

import json
import shutil

import numpy as np
import pytest
import xarray as xr
from simulated_stores import write_stores
from trace_runs import capture

from lethe import traces
from lethe.errors import LetheError
from lethe.pages import book, dataset_facts, stores

PAIR = ["test_resnet", "test_vit"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Stores of three models on `mine`, two on `pets-of-ours` and one on `zoo`."""
    folder = tmp_path_factory.mktemp("stores")
    write_stores(folder, "mine", ("test_resnet", "test_vit", "resnet18"), (6, 4, 3), 2, 3)
    write_stores(folder, "pets-of-ours", ("test_resnet", "test_vit"), (5, 5), 2, 3)
    run = capture(folder / "zoo")
    traces.compact([run], folder / "traces" / "zoo-tiny-quick.zarr.zip")
    return folder


@pytest.fixture(autouse=True)
def use_made(made, monkeypatch):
    monkeypatch.setenv("LETHE_DATA", str(made))
    monkeypatch.setenv("LETHE_DATASETS", str(made / "no data sets"))


@pytest.fixture
def page():
    return book.start("finding_0", {})


def test_names_are_read_from_the_right(made):
    found = stores.captured()
    assert set(found["dataset"]) == {"mine", "pets-of-ours", "zoo"}
    assert set(found["preset"]) == {"quick"}


def test_a_folder_without_stores_knows_none(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_DATA", str(tmp_path))
    with pytest.raises(LetheError, match=r"dataset 'mine' has no traces; \(known: none\)"):
        stores.find_pair("mine", PAIR, "quick")


def test_a_pair_is_opened_in_one_order_and_noted(page):
    first, second = stores.open_pair(page, "mine", PAIR, "quick")
    assert list(first["sample"].values) == list(second["sample"].values)
    assert [store["model"] for store in page.stores] == PAIR
    assert stores.model_names([first, second]) == PAIR


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (("mien", PAIR, "quick"), "dataset 'mien' has no traces; did you mean 'mine'"),
        (("pets", PAIR, "quick"), "dataset 'pets' has no traces; .*known: mine, pets-of-ours, zoo"),
        (("mine", PAIR, "qick"), "preset 'qick' has no traces on dataset 'mine'; did you mean 'qu"),
        (("mine", ["test_resnet", "test_vti"], "quick"), "models: 'test_vti' .*mean 'test_vit'"),
        (("zoo", ["tiny", "test_vit"], "quick"), "'test_vit' has no traces on dataset 'zoo' with"),
        (("mine", ["test_vit", "test_vit"], "quick"), "models names 'test_vit' twice"),
        (("mine", ["test_vit"], "quick"), r"models are two networks, not 1 \(test_vit\)"),
        (("mine", [*PAIR, "resnet18"], "quick"), "models are two networks, not 3"),
        (("mine", [], "quick"), "models are two networks, not none"),
        (("mine", "", "quick"), "models are two networks, not none"),
        (("mine", ["no.zarr.zip", "test_vit"], "quick"), "models: there is no trace store no.zarr"),
    ],
)
def test_what_has_no_traces_is_refused_with_the_nearest(page, chosen, message):
    with pytest.raises(LetheError, match=message) as error:
        stores.open_pair(page, *chosen)
    assert "\n" not in str(error.value)
    assert page.stores == []


def test_models_may_be_one_text_as_plain_papermill_gives_it():
    assert stores.find_pair("mine", "test_vit, resnet18", "quick") == [
        "mine-test_vit-quick",
        "mine-resnet18-quick",
    ]


def test_a_file_stands_in_place_of_a_model(made, tmp_path, page, monkeypatch):
    shutil.copy(made / "traces/mine-test_vit-quick.zarr.zip", tmp_path / "own.zarr.zip")
    monkeypatch.chdir(tmp_path)
    found = stores.find_pair("mine", ["test_vit", "own.zarr.zip"], "quick")
    assert found == ["mine-test_vit-quick", str(tmp_path / "own.zarr.zip")]
    with pytest.raises(LetheError, match=r"own.zarr.zip .*the same traces"):
        stores.open_pair(page, "mine", ["test_vit", "own.zarr.zip"], "quick")
    with pytest.raises(LetheError, match=r"models names 'own.zarr.zip' twice"):
        stores.find_pair("mine", ["own.zarr.zip", "./own.zarr.zip"], "quick")


def test_two_stores_of_one_model_are_told_apart(made, page, tmp_path):
    write_stores(tmp_path, "mine", ("test_vit",), (6, 4, 3), 3, 3)
    other = str(tmp_path / "traces" / "mine-test_vit-quick.zarr.zip")
    pair = stores.open_pair(page, "mine", ["test_vit", other], "quick")
    assert stores.model_names(pair) == ["test_vit", "test_vit (second store)"]


def test_other_images_or_labels_are_refused(page, tmp_path):
    write_stores(tmp_path, "mine", ("test_vit",), (6, 4, 4), 2, 3)
    longer = str(tmp_path / "traces" / "mine-test_vit-quick.zarr.zip")
    with pytest.raises(LetheError, match=r"cannot stand next to mine-test_resnet-quick: .*foreign"):
        stores.open_pair(page, "mine", ["test_resnet", longer], "quick")
    first = traces.open_traces("mine-test_resnet-quick").load()
    first.encoding.clear()
    second = first.assign_coords(label=first["label"].copy(data=first["label"].values[::-1]))
    with pytest.raises(LetheError, match=r"samples have another label there, e.g. '0/0000.png'"):
        stores.check_alike(first, second)
    second = first.assign_attrs(classes=json.dumps(["a", "b", "c"]))
    with pytest.raises(LetheError, match="their classes differ"):
        stores.check_alike(first, second)


@pytest.mark.parametrize(
    ("beside", "models"),
    [("", PAIR), ("mine", PAIR), ("pets-of-ours", ["./a.zarr.zip", "./b.zarr.zip"])],
)
def test_nothing_stands_beside(page, beside, models):
    assert stores.find_beside(beside, "mine", models, "quick") is None
    assert stores.open_beside(page, beside, "mine", models, "quick") == []


def test_the_second_data_set_is_checked_like_the_first(page):
    pair = stores.open_beside(page, "pets-of-ours", "mine", PAIR, "quick")
    assert [ds.attrs["dataset"] for ds in pair] == ["pets-of-ours"] * 2
    with pytest.raises(LetheError, match=r"beside 'cifar7' has no traces; .*an empty beside shows"):
        stores.find_beside("cifar7", "mine", PAIR, "quick")
    with pytest.raises(LetheError, match="'resnet18' has no traces on beside 'pets-of-ours'"):
        stores.find_beside("pets-of-ours", "mine", ["test_vit", "resnet18"], "quick")


def test_facts_of_a_data_set_agree_with_a_count_by_hand(page):
    pair = stores.open_pair(page, "mine", PAIR, "quick")
    table = dataset_facts.overview(pair)
    right = traces.correct(pair[0]).values
    lost = (right[:, :-1] & ~right[:, 1:]).any(1)
    learned = right.any(1)
    row = table.loc["mine, test_resnet"]
    assert row["largest : smallest class"] == "6 : 3"
    assert row["never learned"] == f"{(~learned).mean():.1%}"
    assert row["never forgotten"] == f"{(learned & ~lost).mean():.1%}"
    classes = dataset_facts.by_class(pair[0])
    assert classes["images"].tolist() == [6, 4, 3]
    assert classes["never learned"].iloc[2] == f"{(~learned)[:, 10:].mean():.1%}"
    assert dataset_facts.about(pair[0]) == "mine (3 classes, 13 images)"


def test_known_hard_images_come_from_hashes_and_columns(page):
    ds = traces.open_traces("mine-test_vit-quick")
    assert dataset_facts.known_hard(ds) == {}  # hashes that are missing are not equal pictures
    hashes = np.array([f"{i:04x}" for i in range(13)])
    hashes[[0, 1]], hashes[[5, 6]] = "same", "other"
    kinds = dataset_facts.known_hard(ds.assign_coords(image_hash=("sample", hashes)))
    assert np.flatnonzero(kinds["identical"]).tolist() == [5, 6]  # two labels, not only two images
    zoo = traces.open_traces("zoo-tiny-quick")
    assert dataset_facts.known_hard(zoo)["symbol font"].tolist() == [True, False] * 3
    assert dataset_facts.clusters(ds) is None
    family = ("sample", list("aabbccddeeffg"))
    unit, code = dataset_facts.clusters(ds.assign_coords(family=family))
    assert unit == "typeface"
    assert code.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6]


def test_pictures_that_are_not_here_are_named(page):
    ds = traces.open_traces("mine-test_vit-quick")
    assert dataset_facts.portraits(ds) is None
    html = dataset_facts.sheet(ds, [2, 0], ["<1>", "2"], "Most forgotten").data
    assert "0/0002.png (&lt;1&gt;); 0/0000.png (2)" in html
    assert "<img" not in html
    assert "<img" not in dataset_facts.sheet(ds, [], [], "None").data


def test_pictures_are_shown_where_the_data_set_is(monkeypatch):
    monkeypatch.delenv("LETHE_DATA")
    ds = traces.open_traces("glyphs-resnet18-quick").isel(sample=slice(0, 60))
    pictures = dataset_facts.portraits(ds, ds["sample"].values[[3, 1]])
    assert pictures.shape == (2, 32, 32, 1)
    html = dataset_facts.sheet(ds, [3, 1], ["a", "b"], "Two").data
    assert html.count("<img") == 2
    assert "3 in 8-bit Limit BRK" in html
    other = ds.assign_coords(sample=[f"no {i}" for i in range(60)])
    assert dataset_facts.portraits(other) is None


def test_a_large_picture_is_made_small():
    picture = np.zeros((224, 160, 3), np.uint8)
    assert dataset_facts.small(picture).shape == (56, 40, 3)
    assert dataset_facts.small(picture[:64, :64]).shape == (64, 64, 3)


def test_values_by_epoch_are_the_mean_and_the_extremes_of_the_seeds():
    values = xr.DataArray([[0.1, 0.5], [0.3, 0.1]], dims=("seed", "epoch"))
    ds = xr.Dataset(coords={"epoch": [0, 1]}, attrs={"model": "tiny"})
    for given in (values, values.T):  # whatever the order of the dimensions
        table = dataset_facts.by_epoch(given, ds)
        np.testing.assert_allclose(table["mean"], [0.2, 0.3])
        assert table["low"].tolist() == [0.1, 0.1]
        assert table["high"].tolist() == [0.3, 0.5]
        assert table["epoch"].tolist() == [0, 1]
        assert set(table["network"]) == {"tiny"}
