"""The photograph data sets on small trees in their official layouts."""

import numpy as np
import pytest
from PIL import Image

from lethe import datasets
from lethe.datasets import cifar
from lethe.datasets.cifar import CLASSES, load_cifar7, load_cifar10
from lethe.datasets.class_folders import load_class_folders
from lethe.datasets.tiny_imagenet import load_tiny_imagenet
from lethe.errors import LetheError

PER_BATCH = 40  # images of a small binary file, four of each class


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_DATASETS", str(tmp_path / "datasets"))


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def colours(seed, n, side=32):
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), np.uint8)


@pytest.fixture
def batches(tmp_path):
    """CIFAR-10's binary layout with 40 images a file; returns the folder."""
    folder = tmp_path / "cifar10"
    (folder / "cifar-10-batches-bin").mkdir(parents=True)
    for number, name in enumerate(cifar.BATCHES["train"] + cifar.BATCHES["test"]):
        labels = np.random.default_rng(number).permutation(np.repeat(np.arange(10), 4))
        planes = colours(number, PER_BATCH).transpose(0, 3, 1, 2).reshape(PER_BATCH, -1)
        records = np.concatenate([labels[:, None].astype(np.uint8), planes], 1)
        records.tofile(folder / "cifar-10-batches-bin" / name)
    return folder


def as_folders(images, root):
    for name, image in zip(images.sample_ids, images.pixels):
        save(root / f"{name}.png", image)


def test_cifar10_is_the_same_from_its_binary_files_and_from_class_folders(batches, tmp_path):
    for split, count in (("train", 200), ("test", 40)):
        images = load_cifar10(batches, split)
        assert images.pixels.shape == (count, 32, 32, 3)
        as_folders(images, tmp_path / "folders")
    for split in ("train", "test"):
        one, other = load_cifar10(batches, split), load_cifar10(tmp_path / "folders", split)
        order = np.argsort(one.sample_ids)
        assert one.classes == other.classes == CLASSES
        assert list(one.sample_ids[order]) == list(other.sample_ids)
        assert np.array_equal(one.pixels[order], other.pixels)
        assert np.array_equal(one.labels[order], other.labels)
        assert list(one.columns.image_hash[order]) == list(other.columns.image_hash)


def test_a_binary_record_is_read_by_its_definition(batches):
    images = load_cifar10(batches, "test")
    data = (batches / "cifar-10-batches-bin" / "test_batch.bin").read_bytes()
    for n in (0, 7, 39):
        record = data[n * 3073 : (n + 1) * 3073]
        assert images.labels[n] == record[0]
        assert images.pixels[n, 5, 9].tolist() == [
            record[1 + 1024 * c + 5 * 32 + 9] for c in range(3)
        ]
    earlier = sum(data[n * 3073] == data[7 * 3073] for n in range(7))
    assert images.sample_ids[7] == f"test/{CLASSES[data[7 * 3073]]}/{earlier:04d}"


def test_cifar7_has_its_class_sizes_and_does_not_depend_on_the_layout(
    batches, tmp_path, monkeypatch
):
    monkeypatch.setattr(cifar, "OCTDL_COUNTS", (12, 3, 4, 6, 1, 2, 2))
    monkeypatch.setattr(cifar, "TEST_IMAGES", 3)
    as_folders(load_cifar10(batches, "train"), tmp_path / "folders")
    as_folders(load_cifar10(batches, "test"), tmp_path / "folders")
    one, other = load_cifar7(batches, "train"), load_cifar7(tmp_path / "folders", "train")
    assert np.bincount(one.labels).tolist() == [12, 3, 4, 6, 1, 2, 2]
    assert set(one.sample_ids) == set(other.sample_ids)
    assert one.classes == CLASSES[:7]
    assert np.bincount(load_cifar7(batches, "test").labels).tolist() == [3] * 7


def test_cifar7_adds_up_to_octdl():
    assert sum(cifar.OCTDL_COUNTS) == 2064
    assert max(cifar.OCTDL_COUNTS) / min(cifar.OCTDL_COUNTS) == pytest.approx(56, abs=0.5)


def test_cifar7_refuses_a_cifar10_that_is_too_small(batches):
    with pytest.raises(LetheError, match="needs 1231 images of airplane, 20 are in train"):
        load_cifar7(batches, "train")


def test_cifar10_refuses_what_it_is_not(batches, tmp_path):
    with pytest.raises(LetheError, match="lethe fetch cifar10"):
        load_cifar10(tmp_path / "nothing")
    with pytest.raises(LetheError, match=r"no split 'tset'.*did you mean 'test'"):
        load_cifar10(batches, "tset")
    file = batches / "cifar-10-batches-bin" / "data_batch_3.bin"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(LetheError, match=r"data_batch_3\.bin is not a whole CIFAR-10 file"):
        load_cifar10(batches)
    for split in ("train", "test"):
        for label in ("cat", "dog"):
            save(tmp_path / "pets" / split / label / "1.png", colours(0, 1)[0])
    with pytest.raises(LetheError, match="not CIFAR-10: see the class"):
        load_cifar10(tmp_path / "pets")


@pytest.fixture
def tiny(tmp_path):
    """Tiny-ImageNet's layout with three classes."""
    root, lines = tmp_path / "tiny", []
    for number, wnid in enumerate(("n03", "n01", "n02")):
        for n, image in enumerate(colours(number, 4, 64)):
            save(root / "train" / wnid / "images" / f"{wnid}_{n}.JPEG", image)
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text("boxes are not read\n")
        save(root / "val" / "images" / f"val_{number}.JPEG", colours(10 + number, 1, 64)[0])
        lines.append(f"val_{number}.JPEG\t{wnid}\t0\t0\t63\t63\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    return root


def test_tiny_imagenet_reads_the_official_layout(tiny):
    train, val = load_tiny_imagenet(tiny, "train"), load_tiny_imagenet(tiny, "test")
    assert train.classes == val.classes == ["n01", "n02", "n03"]
    assert train.pixels.shape == (12, 64, 64, 3)
    assert train.sample_ids[0] == "train/n01/images/n01_0.JPEG"
    assert val.labels.tolist() == [2, 0, 1]
    with Image.open(tiny / "val" / "images" / "val_1.JPEG") as picture:
        assert np.array_equal(val.pixels[1], np.asarray(picture.convert("RGB")))
    assert load_tiny_imagenet(tiny, "pretrain").fingerprint == train.fingerprint


def test_tiny_imagenet_says_what_is_missing(tiny, tmp_path):
    with pytest.raises(LetheError, match="lethe fetch tiny-imagenet-200"):
        load_tiny_imagenet(tmp_path)
    notes = tiny / "val" / "val_annotations.txt"
    notes.write_text(notes.read_text().replace("n02", "n09"))
    with pytest.raises(LetheError, match="n09, which has no folder"):
        load_tiny_imagenet(tiny, "test")
    notes.unlink()
    with pytest.raises(LetheError, match="val_annotations"):
        load_tiny_imagenet(tiny, "test")


def make_pets(root, counts):
    for label, count in counts.items():
        for n, image in enumerate(colours(len(label), count, 40)):
            save(root / label / f"{n:02d}.png", image)


def test_a_folder_of_ones_own_is_split_by_its_names(tmp_path):
    make_pets(tmp_path / "pets", {"cat": 20, "dog": 10, "emu": 2})
    parts = [load_class_folders(tmp_path / "pets", split, 16) for split in ("train", "test")]
    assert [np.bincount(part.labels).tolist() for part in parts] == [[16, 8, 1], [4, 2, 1]]
    assert not set(parts[0].sample_ids) & set(parts[1].sample_ids)
    again = load_class_folders(tmp_path / "pets", "train", 16)
    assert again.fingerprint == parts[0].fingerprint


def test_train_and_test_folders_are_used_as_they_are(tmp_path):
    for split, count in (("train", 3), ("test", 2)):
        make_pets(tmp_path / "pets" / split, {"cat": count, "dog": count})
    train, test = (load_class_folders(tmp_path / "pets", split, 16) for split in ("train", "test"))
    assert (len(train), len(test)) == (6, 4)
    assert train.sample_ids[0] == "train/cat/00.png"


def test_odd_folders_are_refused(tmp_path):
    make_pets(tmp_path / "one", {"cat": 3})
    with pytest.raises(LetheError, match="1 class folders; expected at least two"):
        load_class_folders(tmp_path / "one", "train", 16)
    (tmp_path / "one" / "dog").mkdir()
    with pytest.raises(LetheError, match="dog holds no image"):
        load_class_folders(tmp_path / "one", "train", 16)
    with pytest.raises(LetheError, match="there is no folder"):
        load_class_folders(tmp_path / "none", "train", 16)


def test_names_of_ones_own_need_a_root_and_known_ones_do_not(tmp_path):
    make_pets(tmp_path / "pets", {"cat": 5, "dog": 5})
    images = datasets.load("pets", "train", 16, tmp_path / "pets")
    assert (images.name, images.classes) == ("pets", ["cat", "dog"])
    with pytest.raises(LetheError, match="did you mean 'cifar7'"):
        datasets.check_name("cifar77")
    with pytest.raises(LetheError, match="letters, digits"):
        datasets.check_name("../pets", root="somewhere")
