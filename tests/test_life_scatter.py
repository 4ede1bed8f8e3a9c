"""lethe.pages.life_scatter and sample_gallery: choice, drawing, and both ways to pick."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from simulated_stores import write_stores

from lethe import traces
from lethe.errors import LetheError
from lethe.pages import (
    book,
    charts,
    dataset_facts,
    life_scatter,
    life_strips,
    rasters,
    render,
    sample_gallery,
)
from lethe.pages.sample_gallery import Number

WORDS = {"x_title": "events, a", "y_title": "events, b", "title": "T", "description": "D."}
RNG = np.random.default_rng(0)


def images(count: int = 6) -> pd.DataFrame:
    uri = charts.data_uri(np.zeros((8, 8), np.uint8))
    table = pd.DataFrame({"x": np.arange(count)[::-1] / 2.0, "y": 1.0, "url": uri})
    return table.assign(name=[f"{k} in A font" for k in range(count)])


def lives(count: int = 6, seeds: int = 3, epochs: int = 9) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {name: rng.random((seeds, epochs, count)) < 0.6 for name in ("net a", "net b")}


def unfolded(text: str, cells: int) -> list[int]:
    """What the expressions in the chart make of a folded life."""
    numbers = [life_scatter.LETTERS.index(text[at // 4]) for at in range(cells)]
    return [number // 3 ** (at % 4) % 3 for at, number in enumerate(numbers)]


@settings(deadline=None, max_examples=60)
@given(arrays(bool, st.tuples(*[st.integers(1, 7)] * 3)))
def test_a_folded_life_is_read_back(correct):
    seeds, epochs, _ = correct.shape
    for k, text in enumerate(life_scatter.folded(correct)):
        expected = rasters.states(correct[:, :, k]).ravel().tolist()
        assert unfolded(text, seeds * epochs) == expected


def test_letters_need_no_escape_in_json_in_html_or_in_an_expression():
    assert len(set(life_scatter.LETTERS)) == 81
    text = "".join(life_scatter.LETTERS)
    assert json.dumps(text) == f'"{text}"'
    assert not set(text) & set("<>&'")


def test_points_of_equal_numbers_stand_apart_and_near():
    x, y = np.array([0, 0, 0, 1, 0.0]), np.array([2, 2, 2, 2, 4.0])
    left, up = life_scatter.unstacked(x, y)
    places = np.column_stack([left, up])
    assert len(np.unique(places.round(6), axis=0)) == 5
    assert places[[0, 3, 4]].tolist() == [[0, 2], [1, 2], [0, 4]]
    assert np.abs(places - np.column_stack([x, y])).max() < 0.05
    one = np.column_stack(life_scatter.unstacked([3.0, 3.0], [3.0, 3.0]))  # no extent at all
    assert np.isfinite(one).all()
    assert (one[0] != one[1]).any()


def test_the_chart_holds_every_image_once():
    table = images().assign(url=[f"data:image/png;base64,{k}=" for k in range(6)])
    spec = charts.life_scatter(table, lives(), **WORDS).to_dict()
    text = json.dumps(spec)
    assert all(text.count(uri) == 1 for uri in table["url"])
    assert len(spec["datasets"]) == 1
    assert text.count('"bind"') == 1
    html = render.mimebundle(spec)["text/html"]
    assert "The numbers in this chart" in html


def test_numbers_are_told_with_the_seeds_in_which_an_image_is_lost():
    life = np.zeros((3, 4, 2), bool)
    life[:2, 1, 0] = True  # learned and lost again in two of three seeds; the other never learned
    told = life_scatter.numbers(images(2), {"net": life}, ("x", "y"), ".1f")
    assert told["image"] == ["0 in A font", "1 in A font"]
    assert told["x"] == ["0.5", "0.0"]
    assert told["lost again, seeds of net"] == ["2 of 3", "0 of 3"]
    long = life_scatter.numbers(images(100), lives(100), ("x", "y"), ".1f")
    assert len(long["image"]) == life_scatter.TOLD
    assert long["image"][0].startswith("0 ")
    assert long["image"][-1].startswith("99 ")


def test_each_step_of_the_slider_has_a_name():
    spec = charts.life_scatter(images(), lives(), **WORDS, fmt=".1f").to_dict()
    (names,) = spec["usermeta"]["steps"].values()
    assert names[0] == "0 in A font (2.5; 1.0)"
    assert len(names) == 6


@pytest.mark.parametrize(
    ("table", "life", "problem"),
    [
        (images().drop(columns="url"), lives(), "no column url"),
        (images().assign(x=np.nan), lives(), "two finite numbers"),
        (images(0), lives(0), "must be one image"),
        (images(), lives(5), r"lives of net a have shape \(3, 9, 5\): expected \[seed, epoch, 6\]"),
        (images().assign(group=list("abcdea")), lives(), "5 groups: points have 4 marks"),
    ],
)
def test_bad_images_are_refused(table, life, problem):
    with pytest.raises(LetheError, match=problem):
        charts.life_scatter(table, life, **WORDS)


def test_a_description_is_required_and_hostile_names_stay_text(monkeypatch):
    monkeypatch.setenv("LETHE_BOOK", "1")
    with pytest.raises(LetheError, match="no description"):
        charts.life_scatter(images(), lives(), **WORDS | {"description": " "})
    bad = images().assign(name='</script><b>it\'s \\ "bad"', url="")
    spec = charts.life_scatter(bad, lives(), **WORDS | {"x_title": 'it\'s "x"'}).to_dict()
    bundle = render.mimebundle(spec)
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert "</script><b>" not in bundle["text/html"]


# which images


def pair_of(values, other, direction=1):
    return Number(np.array(values, float), "x", direction), Number(np.array(other, float), "y")


def test_half_of_the_chosen_are_extremes_and_half_are_random():
    x, y = pair_of(RNG.random(500), RNG.random(500))
    rows = sample_gallery.choose(x, y, 60, np.random.default_rng(0))
    assert len(set(rows)) == 60
    far, rest = rows[:30], rows[30:]
    assert set(np.argsort(-(x.values + y.values))[:5]) <= set(far)
    assert set(np.argsort(x.values - y.values)[:5]) <= set(far)
    assert set(np.argsort(y.values - x.values)[:5]) <= set(far)
    assert 0.3 < x.values[rest].mean() < 0.7
    assert (rows == sample_gallery.choose(x, y, 60, np.random.default_rng(0))).all()


def test_images_without_a_number_are_not_chosen_and_few_are_all_taken():
    x, y = pair_of([1, np.nan, 2, 3, 4], [1, 2, np.nan, 3, 4])
    rng = np.random.default_rng(0)
    assert sorted(sample_gallery.choose(x, y, 99, rng)) == [0, 3, 4]
    only = np.array([True, True, True, True, False])
    assert sorted(sample_gallery.choose(x, y, 99, rng, only)) == [0, 3]
    with pytest.raises(LetheError, match="no sample has both numbers: x; y"):
        sample_gallery.choose(x, y, 9, rng, ~np.isfinite(x.values))


def test_ties_among_extremes_do_not_go_to_the_first_rows():
    x, y = pair_of(np.zeros(400), np.zeros(400))
    rows = sample_gallery.choose(x, y, 40, np.random.default_rng(0))
    assert rows[:20].max() > 100


def test_the_hardest_come_first_whatever_the_direction():
    up, y = pair_of([1, 5, 3], [1, 5, 3])
    assert sample_gallery.hardest_first(up, y, np.arange(3)).tolist() == [1, 2, 0]
    down, _ = pair_of([9, 1, 4], [], direction=-1)
    assert sample_gallery.hardest_first(down, y, np.arange(3)).tolist() == [1, 2, 0]
    assert sample_gallery.extremes(down, y, np.arange(3), 1).tolist() == [1]


def test_mean_rank_runs_from_0_to_100_and_leaves_gaps_out():
    ranks = sample_gallery.mean_rank(np.array([[1, 2, 3], [np.nan, 5, 9]]), "r").values
    assert ranks.tolist() == [0, (50 + 0) / 2, 100]
    assert sample_gallery.mean_rank(np.array([[7, 7, 7.0]]), "r").values.tolist() == [50, 50, 50]
    assert np.isnan(sample_gallery.mean_rank(np.array([[np.nan, 1.0]]), "r").values[0])


# on stores


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    first, second = write_stores(tmp_path_factory.mktemp("stores"), seeds=3, epochs=7)
    return traces.open_traces(first), traces.open_traces(second)


@pytest.fixture
def told(monkeypatch):
    seen = []
    monkeypatch.setattr(book, "text", lambda page, words: seen.append(words))
    monkeypatch.setattr(charts, "show", seen.append)
    return seen


def scores_of(pair):
    return [sample_gallery.mean_score(ds, "forgetting_events", ds.attrs["model"]) for ds in pair]


def test_a_mean_score_is_the_mean_over_seeds(pair):
    number = scores_of(pair)[0]
    right = traces.correct(pair[0]).transpose("seed", "epoch", "sample").values
    k = int(np.flatnonzero(right.any(axis=1).all(axis=0))[3])
    counts = [sum(run[:-1] & ~run[1:]) for run in right[:, :, k]]
    assert number.values[k] == pytest.approx(np.mean(counts))
    assert number.title == "forgetting events, test_resnet"


def test_a_gallery_without_pictures_has_names_and_lives(pair, told):
    sample_gallery.show(None, pair, *scores_of(pair), title="T", random_seed=0, count=40)
    chart, words = told
    spec = chart.to_dict()
    (rows,) = spec["datasets"].values()
    assert len(rows) == 40
    assert {row["url"] for row in rows} == {""}
    assert "holds 40 of the 150 images: half drawn at random" in words
    assert "picture" not in words.split("The gallery")[1]
    ids = pair[0]["sample"].values
    k = int(np.flatnonzero(ids == rows[7]["name"])[0])
    right = traces.correct(pair[1]).transpose("seed", "epoch", "sample").values[:, :, k]
    assert unfolded(rows[7]["life1"], right.size) == rasters.states(right).ravel().tolist()


def test_pictures_are_shown_where_they_are_and_only_those_images(pair, told, monkeypatch):
    ids = pair[0]["sample"].values[50:60]
    kept = {name: RNG.integers(0, 255, (40, 40, 3), dtype=np.uint8) for name in ids}
    monkeypatch.setattr(dataset_facts, "pictures", lambda ds, samples=None: kept)
    sample_gallery.show(None, pair, *scores_of(pair), title="T", random_seed=0)
    (rows,) = told[0].to_dict()["datasets"].values()
    assert {row["name"] for row in rows} <= set(ids)
    assert all(row["url"].startswith("data:image/png") for row in rows)
    assert "(only some have a picture here)" in told[1]


def test_groups_give_equally_many_and_no_image_at_all_is_said(pair, told):
    groups = np.where(np.arange(150) < 12, "few", "many")
    form = {"title": "T", "random_seed": 0, "groups": groups}
    sample_gallery.show(None, pair, *scores_of(pair), **form, evenly=True, count=20)
    (rows,) = told[0].to_dict()["datasets"].values()
    assert sorted(row["group"] for row in rows).count("few") == 10
    nothing = Number(np.full(150, np.nan), "nothing")
    told.clear()
    sample_gallery.show(None, pair, nothing, nothing, title="T", random_seed=0)
    assert told == ["No image here has both numbers (nothing; nothing): no gallery."]


def test_a_strip_is_the_life_in_colours_and_in_words():
    right = np.array([[False, True, False], [True, True, True]])
    pixels, words = life_strips.life_strip({"a": right, "b": right[1:, :2]})
    assert pixels.shape == (2 + life_strips.GAP + 1, 3, 4)
    colours = [tuple(bytes.fromhex(c[1:])) for c in rasters.STATE_SCALE.to_dict()["range"]]
    assert [tuple(p[:3]) for p in pixels[0]] == colours
    assert (pixels[1, :, :3] == colours[1]).all()
    assert (pixels[2:4, :, 3] == 0).all()  # between the networks: nothing
    assert pixels[4, :, 3].tolist() == [255, 255, 0]  # a shorter training
    assert words == "a, lost in 1 of 2 seeds; b, lost in 0 of 1 seeds"


def test_a_contact_sheet_shows_a_strip_below_each_picture(pair, monkeypatch):
    ids = pair[0]["sample"].values[[3, 5]]
    kept = {ids[1]: RNG.integers(0, 255, (40, 40, 3), dtype=np.uint8)}
    monkeypatch.setattr(dataset_facts, "pictures", lambda ds, samples=None: kept)
    html = dataset_facts.sheet(pair[0], [3, 5], ["c", "d"], "T", {"<net>": pair[1]}).data
    right = traces.correct(pair[1]).transpose("sample", "seed", "epoch").values[5]
    _, words = life_strips.life_strip({"&lt;net&gt;": right})
    assert html.count("<img") == 2
    assert f'alt="{words}" title="{words}"' in html
    assert "1 of 2 have a picture here" in html
    plain = dataset_facts.sheet(pair[0], [5], ["d"], "T").data
    assert plain.count("<img") == 1


def test_a_wrong_label_is_told():
    labels, true = np.array([0, 1]), np.array([0, 0])
    ds = traces.from_arrays(
        np.zeros((1, 2, 2), int), labels, sample=["a.png", "b.png"], classes=["cat", "dog"]
    )
    ds = ds.assign_coords(clean_label=("sample", true))
    assert dataset_facts.names(ds, [0, 1]) == ["a.png", "b.png (trained as dog)"]
    ds = ds.assign_coords(family=("sample", ["Mono", "Sans"]))
    assert dataset_facts.names(ds, [0, 1]) == ["cat in Mono", "dog (is cat) in Sans"]


# in a browser


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    """A page with one gallery, drawn, and a function that says what is picked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LETHE_BOOK", "1")
        html = render.mimebundle(charts.life_scatter(images(), lives(), **WORDS).to_dict())
    path = tmp_path_factory.mktemp("page") / "page.html"
    script = f"<script>{render.bundle_script()}</script>"
    body = f"<body style='margin:0'>{html['text/html']}</body>"
    path.write_text(f"<!DOCTYPE html><meta charset=utf-8>{script}{body}", encoding="utf-8")
    page = browser.new_page(viewport={"width": 900, "height": 800})
    page.goto(path.as_uri())
    page.wait_for_selector("svg.marks")
    yield page
    page.close()


def picked(page) -> tuple[str, str]:
    """The name beside the picture, and the position of the slider."""
    page.wait_for_timeout(150)
    name = page.locator("svg.marks .mark-text.role-mark text").first.text_content()
    return name.split(" ")[0], page.locator("input[type=range]").input_value()


def test_the_arrow_keys_move_through_the_images(opened):
    slider = opened.locator("input[type=range]")
    assert picked(opened) == ("0", "0")
    slider.focus()
    opened.keyboard.press("ArrowRight")
    opened.keyboard.press("ArrowRight")
    assert picked(opened) == ("2", "2")
    opened.keyboard.press("End")
    assert picked(opened) == ("5", "5")


def test_pointing_near_a_dot_picks_it_and_moves_the_slider(opened):
    dots = opened.locator("svg.marks .mark-symbol.role-mark").first.locator("path")
    for k in (4, 1):
        box = dots.nth(k).bounding_box()
        opened.mouse.move(box["x"] + 15, box["y"] - 90)  # nearer to it than to any other
        assert picked(opened) == (str(k), str(k))
    edge = opened.locator("svg.marks").bounding_box()
    opened.mouse.move(edge["x"] + 600, edge["y"] + 300)  # over the lives: the pick stays
    assert picked(opened) == ("1", "1")


def test_the_lives_in_the_browser_are_those_of_the_picked_image(opened):
    slider = opened.locator("input[type=range]")
    slider.focus()
    opened.keyboard.press("Home")
    opened.keyboard.press("ArrowRight")
    assert picked(opened)[1] == "1"
    cells = opened.locator("svg.marks .mark-rect.role-mark").first.locator("path")
    shades = cells.evaluate_all("cells => cells.map(cell => cell.getAttribute('fill'))")
    colours = rasters.STATE_SCALE.to_dict()["range"]
    right = lives()["net a"][:, :, 1]
    expected = [colours[state].lower() for state in rasters.states(right).ravel()]
    assert [shade.lower() for shade in shades] == expected
