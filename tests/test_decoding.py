"""lethe.datasets.cache: what an image file becomes, and what is said of one that cannot be read."""

import os

import numpy as np
import pytest
from pictures import noise, photographs, slowly
from PIL import Image

from lethe.datasets.cache import decode, decoded
from lethe.errors import LetheError


@pytest.fixture(autouse=True)
def datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_DATASETS", str(tmp_path / "datasets"))
    return tmp_path / "datasets"


@pytest.mark.parametrize("pixels", [1, 17, 32, 64])
def test_decoding_is_bit_identical_to_the_definition(tmp_path, pixels):
    names = photographs(tmp_path)
    array = decoded(tmp_path, names, pixels)
    assert array.shape == (len(names), pixels, pixels, 3)
    assert array.dtype == np.uint8
    for image, name in zip(array, names):
        np.testing.assert_array_equal(image, slowly(tmp_path / name, pixels))


def test_decoding_is_resize_and_centre_crop_of_torchvision(tmp_path):
    transforms = pytest.importorskip("torchvision.transforms")
    both = transforms.Compose(
        [
            transforms.Resize(24, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(24),
        ]
    )
    for name in photographs(tmp_path):
        expected = np.asarray(both(Image.open(tmp_path / name).convert("RGB")))
        np.testing.assert_array_equal(decode(tmp_path / name, 24), expected)


def test_squeezing_keeps_the_whole_image(tmp_path):
    scan = noise(30, 90, 3)
    Image.fromarray(scan).save(tmp_path / "scan.png")
    whole = decoded(tmp_path, ["scan.png"], 16, squeeze=True)[0]
    expected = Image.fromarray(scan).resize((16, 16), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(whole, np.asarray(expected))
    assert (whole != decoded(tmp_path, ["scan.png"], 16)[0]).any()


def test_a_large_photograph_is_averaged_not_sampled(tmp_path):
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    assert abs(decode(tmp_path / "stripes.png", 32).astype(int) - 128).max() <= 4


# Modes and orientation


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "I;16", "I"])
def test_every_mode_gives_the_same_grey_square(tmp_path, mode):
    value = 255 if mode == "1" else 200
    picture = Image.new("L", (20, 12), value)
    if mode.startswith("I"):
        wide = np.full((12, 20), value * 257, np.uint16 if mode == "I;16" else np.int32)
        picture = Image.fromarray(wide)
    elif mode == "P":
        picture = picture.quantize(4)
    else:
        picture = picture.convert("RGB").convert(mode)
    picture.save(tmp_path / "grey.tif")
    image = decode(tmp_path / "grey.tif", 8)
    assert image.shape == (8, 8, 3)
    assert abs(image.astype(int) - value).max() <= 1


def test_sixteen_bits_keep_their_steps(tmp_path):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)
    Image.fromarray(np.tile(ramp, (256, 1))).save(tmp_path / "ramp.png")
    image = decode(tmp_path / "ramp.png", 256)
    np.testing.assert_array_equal(image[0, :, 0], np.arange(256))


@pytest.mark.parametrize("kind", ["RGBA", "LA", "P"])
def test_transparent_pixels_are_white(tmp_path, kind):
    layer = np.zeros((8, 8, 4), np.uint8)
    layer[:, 4:, 3] = 255  # the right half is opaque black, the left half transparent black
    picture = Image.fromarray(layer)
    picture = picture.quantize(4) if kind == "P" else picture.convert(kind)
    picture.save(tmp_path / "a.png")
    image = decode(tmp_path / "a.png", 8)
    assert (image[:, :4] == 255).all()
    assert (image[:, 4:] == 0).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    upright = noise(16, 16, 3)
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    stored = Image.fromarray(upright)
    stored = stored if undo is None else stored.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(decode(tmp_path / "a.png", 16), upright)


# Errors


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    names = photographs(tmp_path)
    whole = (tmp_path / names[3]).read_bytes()
    for damage in (b"", b"no picture", whole[: len(whole) // 2], whole[:200]):
        (tmp_path / names[3]).write_bytes(damage)
        with pytest.raises(LetheError, match=rf"{names[3]} cannot be read"):
            decoded(tmp_path, names, 16)
    leftover = {path.suffix for path in (tmp_path / "datasets" / "decoded").iterdir()}
    assert leftover == {".lock"}


def test_impossible_requests_are_refused(tmp_path):
    with pytest.raises(LetheError, match=r"no image 'gone.png'"):
        decoded(tmp_path, ["gone.png"], 16)
    with pytest.raises(LetheError, match="at least one"):
        decoded(tmp_path, [], 16)
    Image.new("RGB", (1, 100)).save(tmp_path / "needle.png")
    with pytest.raises(LetheError, match=r"needle.png: 1 x 100 is too elongated"):
        decoded(tmp_path, ["needle.png"], 16)
    with pytest.raises(LetheError, match="at least one"):
        decoded(tmp_path, ["needle.png"], 0)
    Image.new("F", (8, 8)).save(tmp_path / "float.tif")
    with pytest.raises(LetheError, match=r"float.tif: pixels are floating-point"):
        decoded(tmp_path, ["float.tif"], 4)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    names = photographs(tmp_path, 2)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LETHE_DATASETS", str(tmp_path / "file" / "below"))
    with pytest.raises(LetheError, match="cannot create the folder"):
        decoded(tmp_path, names, 16)


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    names = photographs(tmp_path, 4)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(LetheError, match=r"cannot write .*No space left"):
        decoded(tmp_path, names, 16)
    assert not list((tmp_path / "datasets" / "decoded").glob("*.[np][pa]*"))
