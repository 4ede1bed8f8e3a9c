"""lethe.datasets.tables: a CSV of the user's own."""

import numpy as np
import pytest
from PIL import Image

from lethe.datasets.cache import decode
from lethe.datasets.splits import held_out
from lethe.datasets.tables import load_table
from lethe.errors import LetheError

RANDOM = np.random.default_rng(0)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A CSV of 20 pictures, of cats and dogs by turns, in shuffled order."""
    monkeypatch.setenv("LETHE_DATASETS", str(tmp_path / "datasets"))
    (tmp_path / "mine" / "pets").mkdir(parents=True)
    rows = []
    for n in RANDOM.permutation(20):
        pixels = RANDOM.integers(0, 256, (20, 25, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "mine" / "pets" / f"{n:02d}.png")
        rows.append(f"pets/{n:02d}.png,{'cat' if n % 2 else 'dog'},camera {n % 3},{n // 4}")
    return write(tmp_path, ["path,label,camera,shoot", *rows])


def write(tmp_path, rows):
    (tmp_path / "mine" / "list.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "mine" / "list.csv"


def edit(csv, function):
    header, *rows = csv.read_text().splitlines()
    csv.write_text("\n".join(function(header, rows)) + "\n")


def test_without_split_a_fifth_of_each_class_is_held_out(mine):
    train, test = load_table(mine, "train", 16), load_table(mine, "test", 16)
    assert (len(train), len(test)) == (16, 4)
    assert list(np.bincount(train.labels)) == [8, 8]
    assert train.classes == test.classes == ["cat", "dog"]
    ids = [f"pets/{n:02d}.png" for n in range(20)]
    out = held_out(ids, ["cat" if n % 2 else "dog" for n in range(20)])
    assert list(test.sample_ids) == [name for name, held in zip(ids, out) if held]
    assert list(train.columns.columns) == ["camera", "shoot", "image_hash"]
    for images in (train, test):
        for n, name in enumerate(images.sample_ids):
            number = int(name[5:7])
            assert images.classes[images.labels[n]] == ("cat" if number % 2 else "dog")
            assert images.columns.camera[n] == f"camera {number % 3}"
            np.testing.assert_array_equal(images.pixels[n], decode(mine.parent / name, 16))
    assert train.name == "list"
    assert load_table(mine, "train", 16, "pets").name == "pets"


def test_the_order_of_rows_does_not_matter(mine):
    before = load_table(mine, "test", 16).fingerprint
    edit(mine, lambda header, rows: [header, *rows[::-1]])
    assert load_table(mine, "test", 16).fingerprint == before


def test_a_column_split_is_obeyed(mine):
    def split(header, rows):
        number = [int(row[5:7]) for row in rows]
        marked = [f"{row},{'test' if n >= 14 else 'train'}" for n, row in zip(number, rows)]
        return [header + ",split", *marked]

    edit(mine, split)
    train, test = load_table(mine, "train", 16), load_table(mine, "test", 16)
    assert sorted(test.sample_ids) == [f"pets/{n}.png" for n in range(14, 20)]
    assert len(train) == 14
    assert "split" not in train.columns


def test_a_column_group_stays_together(mine):
    edit(mine, lambda header, rows: [header.replace("shoot", "group"), *rows])
    train, test = load_table(mine, "train", 16), load_table(mine, "test", 16)
    assert not set(train.columns.group) & set(test.columns.group)
    assert len(test) == 4


def test_absolute_paths_and_spaces(mine):
    edit(mine, lambda header, rows: [header, *(f"{mine.parent}/{rows[0]}", *rows[1:])])
    assert len(load_table(mine, "train", 16)) == 16


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda h, r: [h.replace("label", "lable"), *r], "no column 'label': did you mean 'lable'"),
        (lambda h, r: [h.replace("path", "file"), *r], r"no column 'path': .*known: camera, file"),
        (lambda h, r: [h, *r, "pets/99.png,cat,,"], r"line 22: no file .*pets/99.png"),
        (lambda h, r: [h, *r, "pets,cat,,"], r"line 22: no file .*pets"),
        (lambda h, r: [h, r[0].replace("cat", " ").replace("dog", " ")], "line 2: the label is"),
        (lambda h, r: [h, *r[:3], ",cat,,"], "line 5: the path is empty"),
        (lambda h, r: [h, *r, r[4]], r"line 22: 'pets/\d+.png' is there twice"),
        (lambda h, r: [h + ",split", *(f"{row},trian" for row in r)], "line 2: split 'trian'; did"),
        (lambda h, r: [h + ",split", *(f"{row},test" for row in r)], "no row of the split 'train'"),
        (lambda h, r: [h], "has no rows"),
        (lambda h, r: [h, *(row.replace("dog", "cat") for row in r)], "1 classes; give at least"),
        (lambda h, r: [h, *r, "a,b,c,d,e,f,g"], "cannot be read"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(mine, change, match):
    edit(mine, change)
    with pytest.raises(LetheError, match=match) as caught:
        load_table(mine, "train", 16)
    assert "\n" not in str(caught.value)


def test_no_file_and_no_table(mine):
    with pytest.raises(LetheError, match=r"no file .*gone.csv; give a CSV"):
        load_table(mine.with_name("gone.csv"), "train", 16)
    with pytest.raises(LetheError, match="did you mean 'train'"):
        load_table(mine, "trian", 16)
    mine.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LetheError, match="cannot be read"):
        load_table(mine, "train", 16)
    mine.write_text("")
    with pytest.raises(LetheError, match="cannot be read"):
        load_table(mine, "train", 16)
