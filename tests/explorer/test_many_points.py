"""A map of many points in a browser: moved as a still picture, drawn when the mouse rests."""

import numpy as np
import pytest
from browsing import NO_BROWSER, sized, wait_for
from map_page import map_of, mouse, open_map, show

pytestmark = NO_BROWSER
MANY, FEW = 12_000, 500
RANGES = (  # also while it is moved
    "const {xaxis, yaxis} = document.querySelector('.map')._fullLayout;"
    "return [xaxis.range, yaxis.range]"
)
MOVED = "return document.querySelector('.map .gl-container canvas').style.transform"
OUTLINE = "return document.querySelector('.map .outline polygon')?.getAttribute('points') ?? ''"
CHOSEN = "return document.querySelector('.map')._fullData[0].selectedpoints ?? null"
TOLD, ADDRESS = "return window.told", "return location.search"


@pytest.fixture
def opened(driver, tmp_path):
    """Return what shows a map of n points and a tool, and says where its points lie."""
    sized(driver, 1280, 800)
    return lambda n, tool: open_map(driver, tmp_path, map_of(n).update_layout(dragmode=tool))


def ranges(driver) -> np.ndarray:
    """Return what is seen of the map: from and to, across and up, (2, 2)."""
    return np.array(driver.execute_script(RANGES))


def draw(driver, *path: tuple[float, float]) -> None:
    """Press the mouse at the first place and move it to the last; it stays pressed."""
    mouse(driver, "mouseMoved", *path[0])
    mouse(driver, "mousePressed", *path[0], buttons=1)
    for place in path[1:]:
        mouse(driver, "mouseMoved", *place, buttons=1)


def places(figure) -> dict[str, tuple[float, float]]:
    """Return where each point of a figure lies, by its id."""
    return {
        id: (x, y)
        for trace in figure.data
        for id, x, y in zip(trace.customdata, trace.x, trace.y, strict=True)
    }


def test_map_of_many_points_is_moved_as_it_is_and_then_drawn(driver, opened):
    left, top, width, height = opened(MANY, "pan")
    before, at = ranges(driver), (left + width / 2, top + height / 2)
    draw(driver, at, (at[0] + 60, at[1] + 20), (at[0] + 100, at[1] + 40))
    assert driver.execute_script(MOVED) == "translate(100px, 40px) scale(1)"
    assert (ranges(driver) == before).all()
    mouse(driver, "mouseReleased", at[0] + 100, at[1] + 40)
    wait_for(driver, lambda: not driver.execute_script(MOVED))
    shift = np.array([-100 / width, 40 / height]) * np.diff(before)[:, 0]
    np.testing.assert_allclose(ranges(driver), before + shift[:, None], rtol=1e-6, atol=1e-6)
    assert driver.execute_script(ADDRESS) == ""  # it was no click


def test_few_points_are_drawn_at_each_step(driver, opened):
    left, top, width, height = opened(FEW, "pan")
    before, at = ranges(driver), (left + width / 2, top + height / 2)
    draw(driver, at, (at[0] + 60, at[1] + 20))
    wait_for(driver, lambda: (ranges(driver) != before).any())
    assert not driver.execute_script(MOVED)
    mouse(driver, "mouseReleased", at[0] + 60, at[1] + 20)


@pytest.mark.parametrize("tool", ["lasso", "select"])
def test_many_points_are_chosen_by_what_is_drawn_around_them(driver, opened, tool):
    left, top, width, height = opened(MANY, tool)
    sides = np.array([[0.4, 0.6], [0.3, 0.5]])  # of the plane, from its left and its top
    (west, east), (north, south) = sides * [[width], [height]] + [[left], [top]]
    around = [(west, north), (east, north), (east, south), (west, south)]
    draw(driver, *(around if tool == "lasso" else around[::2]))
    assert len(driver.execute_script(OUTLINE).split()) == 4
    mouse(driver, "mouseReleased", *around[-1 if tool == "lasso" else 2])
    wait_for(driver, lambda: driver.execute_script(TOLD))
    assert not driver.execute_script(OUTLINE)
    [[name, told]] = driver.execute_script(TOLD)
    (x0, x1), (y0, y1) = ranges(driver)
    xs = x0 + sides[0] * (x1 - x0)
    ys = y1 - sides[1][::-1] * (y1 - y0)
    inside = {
        id for id, (x, y) in places(map_of(MANY)).items()
        if xs[0] < x < xs[1] and ys[0] < y < ys[1]
    }  # fmt: skip
    assert name == "lassoed" and len(inside) > 100
    assert len(inside.symmetric_difference(told["ids"])) <= 0.02 * len(inside)  # at the edges


def test_what_is_drawn_around_with_shift_is_added(driver, opened):
    left, top, width, height = opened(MANY, "select")
    figure = map_of(MANY).update_layout(dragmode="select", selectionrevision="other")
    one = figure.data[0].customdata[7]
    show(driver, figure.update_traces(selectedpoints=[7], selector=0))
    x, y = left + 0.5 * width, top + 0.4 * height
    wait_for(driver, lambda: driver.execute_script(CHOSEN) == [7])
    for shift, is_kept in ((8, True), (0, False)):
        mouse(driver, "mousePressed", x, y, buttons=1, modifiers=shift)
        mouse(driver, "mouseMoved", x + 40, y + 40, buttons=1, modifiers=shift)
        mouse(driver, "mouseReleased", x + 40, y + 40, modifiers=shift)
        told = wait_for(driver, lambda: driver.execute_script("return window.told.splice(0)"))
        ids = told[-1][1]["ids"]
        assert len(ids) > 10 and (one in ids) == is_kept


def test_wheel_zooms_about_the_mouse_and_other_colours_keep_what_is_seen(driver, opened):
    left, top, width, height = opened(MANY, "pan")
    before, share = ranges(driver), np.array([0.25, 0.6])
    at = (left + share[0] * width, top + share[1] * height)
    for _ in range(3):
        mouse(driver, "mouseWheel", *at, deltaX=0, deltaY=-100)
    spans = np.diff(before)[:, 0]
    zoomed = spans * np.exp(-0.3)  # three turns, drawn together or one by one
    wait_for(driver, lambda: np.allclose(np.diff(ranges(driver))[:, 0], zoomed, rtol=1e-3))
    assert not driver.execute_script(MOVED)
    seen = ranges(driver)
    below = share * [1, -1] + [0, 1]  # up from the lower edge
    fixed = [found[:, 0] + below * np.diff(found)[:, 0] for found in (before, seen)]
    np.testing.assert_allclose(fixed[1], fixed[0], atol=0.005 * spans.max())
    recoloured = map_of(MANY).update_traces(uirevision="other", marker_color="black")
    show(driver, recoloured)
    coloured = "return document.querySelector('.map')._fullData[0].marker.color === 'black'"
    wait_for(driver, lambda: driver.execute_script(coloured))
    np.testing.assert_allclose(ranges(driver), seen, rtol=1e-6)
    for clicks in (1, 2):
        mouse(driver, "mousePressed", *at, buttons=1, clickCount=clicks)
        mouse(driver, "mouseReleased", *at, clickCount=clicks)
    wait_for(driver, lambda: np.allclose(ranges(driver), before))
