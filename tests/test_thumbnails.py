"""The thumbnails of a data set that is not shipped: choice, sheet and table."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from lethe import traces
from lethe.datasets.images import Images
from lethe.errors import LetheError
from lethe.pages import thumbnails

IDS = [f"train/{name}/{n:04d}" for name in ("cat", "dog") for n in range(20)]


def images(channels: int = 3) -> Images:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, channels), dtype=np.uint8)
    return Images("zoo", pixels, np.repeat([0, 1], 20), ["cat", "dog"], np.array(IDS), columns())


def columns() -> pd.DataFrame:
    return pd.DataFrame(index=range(40))


def store(right: np.ndarray, ids=IDS):
    """Traces of `right` [seed, epoch, sample] in two classes."""
    label = np.repeat([0, 1], 20)
    return traces.from_arrays(
        np.where(right, label, 1 - label), label, sample=ids, classes=["cat", "dog"]
    )


@pytest.fixture
def stores():
    """Images 0-9 never forgotten by either network, 10 never learned, 39 forgotten most."""
    rng = np.random.default_rng(1)
    made = []
    for seeds in (3, 2):
        right = rng.random((seeds, 9, 40)) < 0.8
        right[:, 0], right[:, 1:3, 11:] = True, np.array([False, True])[None, :, None]
        right[..., :10], right[..., 10] = True, False
        right[..., 39] = np.arange(9) % 2 == 0
        made.append(store(right))
    return made


def test_lives_agree_with_counting_by_hand(stores):
    table = thumbnails.lives(stores)
    right = [traces.correct(ds).values for ds in stores]
    for number, name in enumerate(IDS):
        runs = [run[:, number] for part in right for run in part]
        counts = [sum(a and not b for a, b in pairwise(r)) for r in runs if any(r)]
        row = table.loc[name]
        assert row["never_forgotten"] == (len(counts) == len(runs) and not sum(counts))
        if counts:
            assert row["events"] == pytest.approx(np.mean(counts))
        else:
            assert np.isnan(row["events"])


def test_the_most_forgotten_come_first_and_the_never_learned_not_at_all(stores):
    table = thumbnails.lives(stores)
    chosen = thumbnails.choose(table, 12)
    assert chosen[0] == IDS[39]
    assert len(chosen) == 12 + 10  # only ten are never forgotten
    assert set(chosen[12:]) == set(IDS[:10])
    assert IDS[10] not in chosen
    least = table.loc[chosen[:12], "events"].min()
    assert (table.drop(chosen)["events"].dropna() <= least).all()


def test_ties_do_not_go_to_the_first_names():
    table = pd.DataFrame({"events": 1.0, "never_forgotten": False}, index=IDS)
    chosen = thumbnails.choose(table, 20)
    assert sorted(chosen) != sorted(IDS[:20])
    assert chosen == thumbnails.choose(table, 20)


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_is_read_back(stores, tmp_path, channels):
    given = images(channels)
    path = thumbnails.write_thumbnails(given, stores, tmp_path / "new", 12)
    assert path.name == "zoo.png"
    read = thumbnails.read_thumbnails("zoo", tmp_path / "new")
    assert list(read) == thumbnails.choose(thumbnails.lives(stores), 12)
    for name, tile in read.items():
        np.testing.assert_array_equal(tile, given.pixels[IDS.index(name)])


def test_the_order_of_a_second_store_does_not_matter(stores):
    turned = traces.match_samples(stores[1], IDS[::-1])
    pd.testing.assert_frame_equal(
        thumbnails.lives([stores[0], turned]), thumbnails.lives([stores[0], stores[1]])
    )


def test_a_store_of_other_images_is_refused(stores, tmp_path):
    other = store(np.ones((1, 3, 40), bool), [f"x/{name}" for name in IDS])
    with pytest.raises(LetheError):
        thumbnails.lives([stores[0], other])
    half = images().take(np.arange(30))
    with pytest.raises(LetheError, match="zoo has no image 'train/dog"):
        thumbnails.write_thumbnails(half, stores, tmp_path)
    assert not list(tmp_path.iterdir())


def test_all_stores_of_a_data_set_are_used(stores, tmp_path, monkeypatch):
    names = {f"zoo-{model}-quick": ds for model, ds in zip("ab", stores)} | {"zoom-a-quick": None}
    wrong = stores[0].assign_coords(label_noise=("sample", ["pair"] * stores[0].sizes["sample"]))
    names["zoo-a-quick+noise"] = wrong.assign(prediction=1 - wrong["prediction"])  # not counted
    monkeypatch.setattr(thumbnails.traces, "list_traces", lambda: list(names))
    monkeypatch.setattr(thumbnails.traces, "open_traces", names.get)
    monkeypatch.setattr(thumbnails, "load", lambda name, split, side, root: images())
    monkeypatch.setenv("LETHE_DATA", str(tmp_path))
    path = thumbnails.keep_thumbnails("zoo")
    assert path == tmp_path / "thumbnails" / "zoo.png"
    assert list(thumbnails.read_thumbnails("zoo")) == thumbnails.choose(thumbnails.lives(stores))
    with pytest.raises(LetheError, match="no traces of 'zo'; did you mean 'zoo'"):
        thumbnails.keep_thumbnails("zo")


def test_without_a_sheet_there_are_no_thumbnails(tmp_path):
    assert thumbnails.read_thumbnails("zoo", tmp_path) == {}


def test_a_sheet_that_does_not_fit_its_table_is_refused(stores, tmp_path):
    path = thumbnails.write_thumbnails(images(), stores, tmp_path, 12)
    lines = path.with_suffix(".csv").read_text().splitlines()
    path.with_suffix(".csv").write_text("\n".join(lines[:5]))
    with pytest.raises(LetheError, match="does not hold 4 tiles"):
        thumbnails.read_thumbnails("zoo", tmp_path)


def test_a_folder_that_cannot_be_written_is_named(stores, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LetheError, match="cannot write"):
        thumbnails.write_thumbnails(images(), stores, tmp_path / "file" / "x", 12)
