"""The paper's two data sets, on small trees in the exact official layout."""

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from lethe.datasets.cache import decode
from lethe.datasets.cub200 import BOX, load_cub200
from lethe.datasets.fetch import fetch
from lethe.datasets.octdl import CLASSES, load_octdl
from lethe.datasets.sources import SOURCES
from lethe.datasets.splits import held_out
from lethe.errors import LetheError
from lethe.paths import datasets_folder

RANDOM = np.random.default_rng(0)
# the header as published, "hight" included
HEADER = "file_name,disease,subcategory,condition,patient_id,eye,sex,year,image_width,image_hight"


@pytest.fixture(autouse=True)
def datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_DATASETS", str(tmp_path / "datasets"))


def picture(path, width, height, grey=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (height, width) if grey else (height, width, 3)
    Image.fromarray(RANDOM.integers(0, 256, shape, dtype=np.uint8)).save(path, quality=95)


@pytest.fixture
def octdl(tmp_path):
    """Nine patients in each class, one of them with two diseases; 1 to 3 scans each."""
    root, rows = tmp_path / "octdl", [HEADER]
    for c, disease in enumerate(CLASSES):
        for n in range(9):
            patient = 1000000 + 10 * n + c if (disease, n) != ("VID", 0) else 1000000
            for scan in range(1, 2 + n % 3):
                name = f"{disease.lower()}_{patient}_{scan}"
                about = "0,0,0" if n % 2 else "OD,F,1941"
                rows.append(f"{name},{disease},late,MNV,{patient},{about},88,32")
                picture(root / "OCTDL" / disease / f"{name}.jpg", 88, 32, grey=n % 3 == 0)
    (root / "OCTDL_labels.csv").write_text("\n".join(rows) + "\n")
    return root


def both(load, root, pixels=16):
    return load(root, "train", pixels), load(root, "test", pixels)


def test_octdl_splits_all_images_by_patient(octdl):
    train, test = both(load_octdl, octdl)
    table = pd.read_csv(octdl / "OCTDL_labels.csv", dtype=str)
    assert len(train) + len(test) == len(table)
    assert not set(train.sample_ids) & set(test.sample_ids)
    assert not set(train.columns.patient_id) & set(test.columns.patient_id)
    assert train.classes == test.classes == CLASSES
    for label in range(len(CLASSES)):
        held, kept = (test.labels == label).sum(), (train.labels == label).sum()
        assert abs(held - 0.2 * (held + kept)) <= 1.5
    by_number = table.sort_values("file_name")
    expected = held_out(by_number.file_name, by_number.disease, by_number.patient_id)
    ids = (by_number.disease + "/" + by_number.file_name)[expected]
    assert set(ids) == set(test.sample_ids)


def test_octdl_rows_stand_beside_their_images(octdl):
    train, _ = both(load_octdl, octdl)
    assert list(train.sample_ids) == sorted(train.sample_ids)
    published = HEADER.split(",")
    assert [name for name in train.columns if name != "image_hash"] == published
    for n in range(0, len(train), 7):
        disease, name = train.sample_ids[n].split("/")
        row = train.columns.iloc[n]
        assert (row.file_name, row.disease) == (name, disease)
        assert train.classes[train.labels[n]] == disease
        assert row.patient_id == name.split("_")[1]
        image = decode(octdl / "OCTDL" / disease / f"{name}.jpg", 16, squeeze=True)
        np.testing.assert_array_equal(train.pixels[n], image)


def test_octdl_beside_its_table_in_one_folder_too(octdl):
    """An older version of the record has the table among the class folders."""
    expected = load_octdl(octdl, "test", 16)
    (octdl / "OCTDL_labels.csv").rename(octdl / "OCTDL" / "OCTDL_labels.csv")
    (octdl / "OCTDL" / "AMD" / "._amd_1000000_1.jpg").write_bytes(b"what a Mac leaves")
    for root in (octdl, octdl / "OCTDL"):
        assert load_octdl(root, "test", 16).fingerprint == expected.fingerprint


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        (",DME,", ",DMA,", "has the class 'DMA'; did you mean 'DME'"),
        ("amd_1000000_1,AMD", "amd_1000010_1,AMD", "'amd_1000010_1' has two rows"),
        ("MNV,1000000,", "MNV,,", "'amd_1000000_1' has no patient_id"),
        ("MNV,1000000,", "MNV,0,", "'amd_1000000_1' has no patient_id"),
        ("file_name", "filename", "no column 'file_name': did you mean 'filename'"),
        ("amd_1000000_1,", "amd_1000000_9,", r"AMD/amd_1000000_9.jpg is in .* but not there"),
        ("rao_1000004_1,RAO", "rao_1000004_1,RVO", r"RVO/rao_1000004_1.jpg is in"),
    ],
)
def test_octdl_says_what_is_wrong_with_the_table(octdl, old, new, match):
    change(octdl / "OCTDL_labels.csv", old, new)
    refused(load_octdl, octdl, match)


def refused(load, root, match, split="train"):
    with pytest.raises(LetheError, match=match) as caught:
        load(root, split, 16)
    assert "\n" not in str(caught.value)


def test_octdl_says_what_is_wrong_with_the_folder(octdl, tmp_path):
    refused(load_octdl, octdl, "did you mean 'train'", split="trian")
    refused(load_octdl, tmp_path / "nowhere", "lethe fetch octdl")
    picture(octdl / "OCTDL" / "NO" / "no_1_1.jpg", 8, 8)
    refused(load_octdl, octdl, r"NO/no_1_1.jpg has no row")
    (octdl / "OCTDL" / "NO" / "no_1_1.jpg").unlink()
    (octdl / "OCTDL_labels.csv").unlink()
    refused(load_octdl, octdl, "no .*OCTDL_labels.csv; get it with")
    (octdl / "OCTDL_labels.csv").write_bytes(b"\xff\x00\x01")
    refused(load_octdl, octdl, "OCTDL_labels.csv cannot be read")
    with pytest.raises(LetheError, match=r"lethe fetch octdl"):
        load_octdl()


SPECIES = ["001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross"]


@pytest.fixture
def cub(tmp_path):
    """Three species of four photographs; image numbers run over the species as published."""
    folder = tmp_path / "cub200" / "CUB_200_2011"
    lists = {name: [] for name in ("images", "image_class_labels", "train_test_split")}
    lists["bounding_boxes"] = []
    for number in range(1, 13):
        species = (number - 1) // 4
        name = f"{SPECIES[species]}/{SPECIES[species][4:]}_{number:04d}_{number * 7}.jpg"
        picture(folder / "images" / name, 50 + number, 40, grey=number == 5)
        lists["images"].append(f"{number} {name}")
        lists["image_class_labels"].append(f"{number} {species + 1}")
        lists["train_test_split"].append(f"{number} {int(number % 4 in (1, 2))}")
        lists["bounding_boxes"].append(f"{number} {number}.0 27.0 25.5 30.0")
    lists["classes"] = [f"{n} {species}" for n, species in enumerate(SPECIES, 1)]
    for name, lines in lists.items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    (folder.parent / "attributes.txt").write_text("1 has_bill_shape::curved\n")
    return folder.parent


def test_cub200_keeps_the_official_split(cub):
    train, test = both(load_cub200, cub)
    assert list(train.columns.image) == ["1", "2", "5", "6", "9", "10"]
    assert list(test.columns.image) == ["3", "4", "7", "8", "11", "12"]
    assert train.classes == test.classes == SPECIES
    assert list(train.labels) == list(test.labels) == [0, 0, 1, 1, 2, 2]
    assert train.sample_ids[0] == "001.Black_footed_Albatross/Black_footed_Albatross_0001_7"
    assert list(train.columns[BOX].iloc[1]) == [2.0, 27.0, 25.5, 30.0]
    for images in (train, test):
        for name, image in zip(images.sample_ids, images.pixels):
            path = cub / "CUB_200_2011" / "images" / f"{name}.jpg"
            np.testing.assert_array_equal(image, decode(path, 16))


def test_cub200_in_the_folder_itself_too(cub):
    one, other = (load_cub200(root, "test", 16) for root in (cub, cub / "CUB_200_2011"))
    assert one.fingerprint == other.fingerprint


@pytest.mark.parametrize(
    ("file", "old", "new", "match"),
    [
        ("images", "3 001", "13 001", "image 13 is not in both images.txt and image_class_labels"),
        ("images", "2 001", "1 001", "images.txt: number 1 has two lines"),
        ("train_test_split", "4 0\n", "", "image 4 is not in both images.txt and train_test"),
        ("train_test_split", "4 0", "4 2", "neither 1 nor 0"),
        ("train_test_split", "4 0", "4 no", "train_test_split.txt: invalid literal"),
        ("image_class_labels", "4 1", "4 9", "has a class that is not in"),
        ("image_class_labels", "4 1", "4", "line 4: expected number label"),
        ("bounding_boxes", "4 4.0 27.0", "4 4.0", "line 4: expected number box_x"),
        ("classes", "3 003.Sooty_Albatross\n", "", "has a class that is not in"),
        ("images", "_0004_28.jpg", "_0003_21.jpg", "has two lines"),
        ("images", "_0001_7.jpg", "_0001_8.jpg", "no image '001.*_0001_8.jpg'"),
    ],
)
def test_cub200_says_what_is_wrong_with_a_list(cub, file, old, new, match):
    change(cub / "CUB_200_2011" / f"{file}.txt", old, new)
    refused(load_cub200, cub, match)


@pytest.mark.parametrize(
    "file", ["images", "image_class_labels", "train_test_split", "bounding_boxes", "classes"]
)
def test_cub200_names_a_missing_list(cub, file):
    (cub / "CUB_200_2011" / f"{file}.txt").unlink()
    refused(load_cub200, cub, f"no .*{file}.txt; get it with `lethe fetch cub200`")


def test_cub200_says_what_is_wrong_with_the_folder(cub):
    refused(load_cub200, cub, "did you mean 'test'", split="tests")
    with pytest.raises(LetheError, match=r"lethe fetch cub200"):
        load_cub200()
    path = cub / "CUB_200_2011" / "train_test_split.txt"
    path.write_text(path.read_text().replace(" 0\n", " 1\n"))
    refused(load_cub200, cub, "no test image", split="test")


# From the archives to the images


def put_by_hand(name, files, monkeypatch):
    """Lay files where `fetch` says to put them, and forbid the network."""

    def no_network(*_, **__):
        raise AssertionError("nothing is missing, so nothing may be asked for")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    parts = tuple(replace(part, size=0, checksums=()) for part in SOURCES[name].parts)
    monkeypatch.setitem(SOURCES, name, replace(SOURCES[name], parts=parts))
    folder = datasets_folder() / "archives" / name
    folder.mkdir(parents=True)
    for file in files:
        shutil.move(file, folder)


def test_octdl_put_there_by_hand_is_unpacked_and_loaded(octdl, tmp_path, monkeypatch):
    expected = load_octdl(octdl, "train", 16)
    archive = shutil.make_archive(str(tmp_path / "OCTDL"), "zip", octdl, "OCTDL")
    put_by_hand("octdl", [archive, octdl / "OCTDL_labels.csv"], monkeypatch)
    assert fetch("octdl") == datasets_folder() / "octdl"
    assert load_octdl(split="train", pixels=16).fingerprint == expected.fingerprint


def test_cub200_put_there_by_hand_is_unpacked_and_loaded(cub, tmp_path, monkeypatch):
    expected = load_cub200(cub, "train", 16)
    archive = shutil.make_archive(str(tmp_path / "CUB_200_2011"), "gztar", cub)
    archive = shutil.move(archive, tmp_path / "CUB_200_2011.tgz")
    put_by_hand("cub200", [archive], monkeypatch)
    fetch("cub200")
    assert load_cub200(split="train", pixels=16).fingerprint == expected.fingerprint
