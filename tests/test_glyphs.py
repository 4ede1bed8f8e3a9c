"""The glyphs: the shipped table against the shipped images, the build, and damaged input."""

import gzip
import hashlib
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from lethe.datasets.glyphs import default_root, halve, load_glyphs
from lethe.datasets.images import Images
from lethe.errors import LetheError, nearest

LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
SPLITS = ("train", "test", "pretrain", "pretrain_test")


@pytest.fixture(scope="module")
def table():
    return pd.read_csv(default_root() / "samples.csv.gz", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def train():
    return load_glyphs(split="train", pixels=64)


# The shipped data


def test_counts(table):
    assert table.split.value_counts().to_dict() == {
        "train": 6200,
        "test": 6200,
        "pretrain": 17282,
        "pretrain_test": 2035,
    }
    latin = table[table.split.isin(SPLITS[:2])]
    assert (latin.groupby(["split", "label"]).size() == 100).all()
    assert set(latin.label) == set(LATIN)
    others = table[~table.split.isin(SPLITS[:2])]
    assert others.groupby("label").size().min() >= 15
    assert table.sample_id.is_unique


def test_families_are_in_one_split_only(table):
    families = {split: set(table.family[table.split == split]) for split in SPLITS}
    assert not families["train"] & families["test"]
    assert not (families["train"] | families["test"]) & families["pretrain"]
    pairs = table[table.split.str.startswith("pretrain")].groupby(["label", "family"])
    assert (pairs.split.nunique() == 1).all()


def test_images_are_those_of_the_table(table, train):
    rows = table[table.split == "train"].reset_index(drop=True)
    assert list(rows.sample_id) == list(train.sample_ids)
    for n in range(0, len(rows), 97):
        sheet = np.asarray(Image.open(default_root() / rows.sheet[n]).convert("L"))
        top, left = int(rows.tile[n]) // 16 * 64, int(rows.tile[n]) % 16 * 64
        tile = np.ascontiguousarray(sheet[top : top + 64, left : left + 64])
        assert hashlib.sha256(tile.tobytes()).hexdigest()[:16] == rows.image_hash[n]
        assert np.array_equal(tile, train.pixels[n, ..., 0])
        assert train.classes[train.labels[n]] == rows.label[n]


@pytest.mark.parametrize("split", SPLITS)
def test_identical_to_is_what_a_search_finds(split):
    images = load_glyphs(split=split, pixels=64)
    rows = images.pixels.reshape(len(images), -1)
    _, group = np.unique(rows.view(f"V{rows.shape[1]}").ravel(), return_inverse=True)
    labels = images.columns.label
    shared = labels.groupby(group).agg(lambda found: sorted(set(found)))
    expected = [
        " ".join(x for x in shared[g] if x != own) for g, own in zip(group, labels, strict=True)
    ]
    assert list(images.columns.identical_to) == expected


def test_known_noise_is_there(train):
    columns = train.columns
    assert columns.is_symbol_font.dtype == bool
    symbol = columns[columns.is_symbol_font]
    assert 2 <= symbol.family.nunique() <= 4
    caps = columns[(columns.family == "Tomson Talks") & (columns.identical_to != "")]
    assert len(caps) == 52
    assert all(row.label.swapcase() in row.identical_to.split() for row in caps.itertuples())


def test_images_are_white_ink_on_black_in_16_greys(train):
    assert set(np.unique(train.pixels)) <= set(range(0, 256, 17))
    ink = train.pixels[..., 0] > 0
    assert ink.any(axis=(1, 2)).all()
    assert not ink[:, :3].any()
    assert not ink[:, -3:].any()


def test_recipe_and_licences_cover_the_table(table):
    root = default_root()
    packages = pd.read_csv(root / "packages.csv", dtype=str, keep_default_na=False)
    assert (packages.licence != "").all()
    assert (packages.copyright != "").all()
    assert set(table.package) == set(packages.package)
    fonts = pd.read_csv(root / "fonts.csv", dtype=str, keep_default_na=False)
    assert set(fonts.symbols) == {"", "all", "letters"}
    assert (fonts.reason[fonts.symbols != ""] != "").all()
    text = (root / "LICENCES.md").read_text(encoding="utf-8")
    assert all(f"| {package} |" in text for package in packages.package)


def test_size_is_within_budget():
    files = [path for path in default_root().rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 12e6


# Reading


@given(arrays(np.uint8, (2, 4, 6)))
def test_halving_is_the_rounded_mean(images):
    small = halve(images)
    for n, i, j in np.ndindex(small.shape):
        block = images[n, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].astype(int)
        assert small[n, i, j] == int(block.sum() / 4 + 0.5)


def test_32_pixels_are_halved_64(train):
    small = load_glyphs(split="train", pixels=32)
    assert small.pixels.shape == (6200, 32, 32, 1)
    assert np.array_equal(small.pixels[..., 0], halve(train.pixels[..., 0]))
    assert small.fingerprint != train.fingerprint


def test_pretraining_splits_have_one_class_list():
    one, other = load_glyphs(split="pretrain"), load_glyphs(split="pretrain_test")
    assert one.classes == other.classes
    assert not set(one.sample_ids) & set(other.sample_ids)


# Building, from a typeface made here


@pytest.fixture(scope="module")
def font_folder(tmp_path_factory):
    """Two families; in `Caps` the lower case is the upper case, and 0 is O."""
    pytest.importorskip("freetype")
    folder = tmp_path_factory.mktemp("fonts")
    for number, family in enumerate(["Plain", "Caps"]):
        target = folder / f"fonts-{family.lower()}"
        target.mkdir()
        make_font(target / "f.ttf", LATIN, number, caps=family == "Caps")
    return folder


def make_font(path, characters, number, caps=False):
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    def glyph(width, height):
        pen = TTGlyphPen(None)
        pen.moveTo((40 + number, 0))
        for corner in [(40, height), (40 + width, height - 90), (40 + width, 7 * number)]:
            pen.lineTo(corner)
        pen.closePath()
        return pen.glyph()

    names = {c: f"u{ord(c):04X}" for c in characters}
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names.values()])
    builder.setupCharacterMap({ord(c): name for c, name in names.items()})
    shapes = {".notdef": glyph(999, 50)}
    for c, name in names.items():
        n = characters.index("O" if caps and c == "0" else c.upper() if caps else c)
        shapes[name] = glyph(100 + 10 * n, 700 - 9 * n)
    builder.setupGlyf(shapes)
    builder.setupHorizontalMetrics({name: (900, 40) for name in shapes})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


def write_lists(out, families=("Plain", "Caps")):
    out.mkdir(parents=True, exist_ok=True)
    head = "task,family,style,scripts,package,path,symbols,reason\n"
    lines = [f"latin,{f},Regular,Latin,fonts-{f.lower()},f.ttf,,\n" for f in families]
    (out / "fonts.csv").write_text(head + "".join(lines))
    lines = [f"fonts-{f.lower()},1-1,OFL-1.1,nobody\n" for f in families]
    (out / "packages.csv").write_text(
        "package,package_version,licence,copyright\n" + "".join(lines)
    )


@pytest.fixture
def built(tmp_path, font_folder):
    from lethe.datasets.build_glyphs import build_glyphs

    write_lists(tmp_path / "glyphs")
    build_glyphs(tmp_path / "glyphs", font_folder)
    return tmp_path / "glyphs"


def test_building_twice_gives_the_same_bytes(built, font_folder, tmp_path):
    from lethe.datasets.build_glyphs import build_glyphs

    again = tmp_path / "again"
    write_lists(again)
    build_glyphs(again, font_folder)
    files = sorted(p.relative_to(built) for p in built.rglob("*") if p.is_file())
    assert len(files) == 6
    assert all((built / f).read_bytes() == (again / f).read_bytes() for f in files)


def test_built_images(built):
    images = load_glyphs(built, "train", 64)
    assert len(images) == 124
    assert set(images.columns.family) == {"Plain", "Caps"}
    twins = images.columns.set_index(images.sample_ids).identical_to
    assert twins["Caps/Regular/U+0061"] == "A"
    assert twins["Caps/Regular/U+004F"] == "0 o"
    assert set(twins[twins.index.str.startswith("Plain")]) == {""}
    ink = images.pixels[..., 0].max(axis=0) > 0
    assert max(np.ptp(np.flatnonzero(ink.any(axis=k))) + 1 for k in (0, 1)) == 56


def test_every_glyph_is_centred(built):
    images = load_glyphs(built, "train", 64)
    mass = images.pixels[..., 0].astype(int)
    for image in mass:
        rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
        assert abs(rows[0] + rows[-1] - 63) <= 1
        assert abs(columns[0] + columns[-1] - 63) <= 1


def test_split_goes_by_hash_not_by_name():
    build = pytest.importorskip("lethe.datasets.build_glyphs")
    families = pd.Series([f"family {n:03d}" for n in range(150)])
    splits = build.split_families(families)
    assert list(splits.values()).count("train") == 100
    assert splits == build.split_families(families[::-1])
    assert "test" in [splits[f] for f in families[:20]]


def test_hold_out_takes_a_tenth_of_each_class():
    build = pytest.importorskip("lethe.datasets.build_glyphs")
    pairs = pd.DataFrame(
        [(label, f"f{n}") for label in "xyz" for n in range(40)], columns=["label", "family"]
    )
    twice = pd.concat([pairs, pairs], ignore_index=True)
    held = build.hold_out(twice)
    assert held.groupby(twice.label).sum().to_dict() == {"x": 8, "y": 8, "z": 8}
    assert held[: len(pairs)].tolist() == held[len(pairs) :].tolist()


def test_a_latin_family_must_be_complete(tmp_path, font_folder):
    from lethe.datasets.build_glyphs import build_glyphs

    shutil.copytree(font_folder, tmp_path / "fonts")
    make_font(tmp_path / "fonts/fonts-plain/f.ttf", LATIN.replace("q", ""), 0)
    write_lists(tmp_path / "out")
    with pytest.raises(LetheError, match="family Plain lacks q"):
        build_glyphs(tmp_path / "out", tmp_path / "fonts")
    assert not (tmp_path / "out/sheets").exists()


def test_a_broken_font_is_named(tmp_path, font_folder):
    from lethe.datasets.build_glyphs import build_glyphs

    shutil.copytree(font_folder, tmp_path / "fonts")
    (tmp_path / "fonts/fonts-caps/f.ttf").write_bytes(b"no font")
    write_lists(tmp_path / "out")
    with pytest.raises(LetheError, match=r"font f\.ttf cannot be read"):
        build_glyphs(tmp_path / "out", tmp_path / "fonts")
    (tmp_path / "fonts/fonts-caps/f.ttf").unlink()
    with pytest.raises(LetheError, match=r"no font .*f\.ttf"):
        build_glyphs(tmp_path / "out", tmp_path / "fonts")


def test_fetching_without_apt_says_so(tmp_path, monkeypatch):
    from lethe.datasets.glyph_fonts import fetch_fonts, read_recipe

    write_lists(tmp_path / "out")
    monkeypatch.setenv("PATH", "")
    _, packages = read_recipe(tmp_path / "out")
    with pytest.raises(LetheError, match="Debian"):
        fetch_fonts(packages, tmp_path / "fonts")
    (tmp_path / "out/packages.csv").unlink()
    with pytest.raises(LetheError, match=r"no packages\.csv"):
        read_recipe(tmp_path / "out")


# Damaged input


def one_line(excinfo):
    return "\n" not in str(excinfo.value) and len(str(excinfo.value)) < 400


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"split": "trian"}, "did you mean 'train'"),
        ({"split": None}, "no split None"),
        ({"pixels": 33}, "no glyphs of 33 pixels; did you mean '32'"),
    ],
)
def test_unknown_choices_get_a_suggestion(arguments, words):
    with pytest.raises(LetheError, match=words) as excinfo:
        load_glyphs(**arguments)
    assert one_line(excinfo)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def swap_tiles(path):
    sheet = Image.open(path)
    sheet.paste(sheet.crop((0, 0, 64, 64)), (64, 0))
    sheet.save(path)


def shrink(path):
    Image.open(path).crop((0, 0, 1024, 64)).save(path)


def odd_size(path):
    Image.open(path).crop((0, 0, 1000, 64)).save(path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "no sheet"),
        (cut, "not a whole PNG"),
        (lambda path: path.write_bytes(b""), "not a whole PNG"),
        (lambda path: path.write_text("<html>"), "not a whole PNG"),
        (swap_tiles, "is not the listed image"),
        (shrink, "too few tiles"),
        (odd_size, "64-pixel tiles"),
    ],
)
def test_damaged_sheets(built, damage, words):
    damage(built / "sheets/latin-caps.png")
    with pytest.raises(LetheError, match=words) as excinfo:
        load_glyphs(built)
    assert one_line(excinfo)
    assert "latin-caps.png" in str(excinfo.value)
    assert "git checkout data/glyphs" in str(excinfo.value)


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(bytes(data))


def zipped(text):
    return lambda path: path.write_bytes(gzip.compress(text.encode()))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        cut,
        flip,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("sample_id,label\n"),
        zipped(""),
        zipped("sample_id,label\nx,y\n"),
        zipped("sample_id,label,split,sheet,tile,image_hash\nx,y,test,z,first,0\n"),
        zipped("sample_id,label,split,sheet,tile,image_hash\nx,y,test,z,0,0\n"),
    ],
)
def test_damaged_tables(built, damage):
    damage(built / "samples.csv.gz")
    with pytest.raises(LetheError, match=r"samples\.csv\.gz.*git checkout") as excinfo:
        load_glyphs(built)
    assert one_line(excinfo)


def test_root_is_found_through_the_environment(built, monkeypatch):
    monkeypatch.setenv("LETHE_DATA", str(built.parent))
    assert len(load_glyphs()) == 124
    monkeypatch.setenv("LETHE_DATA", str(built / "nowhere"))
    with pytest.raises(LetheError, match="LETHE_DATA"):
        load_glyphs()


# Images


def images(**changes):
    parts = {
        "name": "toy",
        "pixels": np.arange(4 * 2 * 2, dtype=np.uint8).reshape(4, 2, 2, 1),
        "labels": np.array([0, 1, 1, 0]),
        "classes": ["cat", "dog"],
        "sample_ids": np.array(["a", "b", "c", "d"]),
        "columns": pd.DataFrame({"x": range(4)}),
    }
    return Images(**(parts | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pixels": np.zeros((4, 2, 2), np.uint8)}, "pixels are uint8"),
        ({"pixels": np.zeros((4, 2, 2, 1))}, "pixels are float64"),
        ({"pixels": np.zeros((3, 2, 2, 1), np.uint8)}, "3 rows of pixels for 4 labels"),
        ({"sample_ids": np.array(["a", "b"])}, "2 rows of sample_ids for 4"),
        ({"columns": pd.DataFrame({"x": []})}, "0 rows of columns for 4"),
        ({"labels": np.array([], int)}, "no images"),
        ({"labels": np.array([0, 1, 2, 0])}, "label 2 is outside 0..1"),
        ({"labels": np.array([0, -1, 1, 0])}, "label -1 is outside"),
        ({"labels": np.array([0.0, 1.0, 1.0, 0.0])}, "labels are float64"),
        ({"labels": np.array([[0], [1], [1], [0]])}, "give integers"),
        ({"labels": np.array([1, 1, 1, 1])}, "class 'cat' has no image"),
        ({"classes": ["cat"]}, "1 classes; give at least two"),
        ({"classes": ["cat", "cat"]}, "class name occurs twice"),
        ({"sample_ids": np.array(["a", "b", "b", "d"])}, "sample id 'b' occurs twice"),
    ],
)
def test_images_that_do_not_agree(changes, words):
    with pytest.raises(LetheError, match=words) as excinfo:
        images(**changes)
    assert one_line(excinfo)
    assert str(excinfo.value).startswith("toy: ")


def test_take_keeps_rows_together():
    some = images().take(np.array([3, 1]))
    assert list(some.sample_ids) == ["d", "b"]
    assert list(some.labels) == [0, 1]
    assert list(some.columns.x) == [3, 1]
    assert some.pixels[0, 0, 0, 0] == 12
    only_cats = images().take(np.array([True, False, False, True]))
    assert only_cats.classes == ["cat", "dog"]
    assert len(only_cats) == 2


@pytest.mark.parametrize(
    "rows", [[], [4], [-1], [0, 0], [0.5], [True, False], [[0, 1]], [False] * 4]
)
def test_take_refuses_rows_that_are_not_there(rows):
    with pytest.raises(LetheError, match="toy: ") as excinfo:
        images().take(rows)
    assert one_line(excinfo)


def test_fingerprint_tells_images_apart():
    base = images()
    assert base.fingerprint == images().fingerprint
    other = base.pixels.copy()
    other[0, 0, 0, 0] += 1
    for change in [
        {"pixels": other},
        {"labels": np.array([1, 1, 1, 0])},
        {"sample_ids": np.array(["a", "b", "c", "e"])},
        {"classes": ["cat", "cow"]},
    ]:
        assert replace(base, **change).fingerprint != base.fingerprint
    assert base.take([1, 0, 2, 3]).fingerprint != base.fingerprint


@given(st.text(max_size=20))
def test_nearest_is_one_line(name):
    assert "(known: alpha, beta)" in nearest(name, ["beta", "alpha"])
    assert "\n" not in nearest(name, iter(["beta", "alpha"]))
    assert nearest("x", []) == "(known: none)"
