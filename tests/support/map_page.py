"""The explorer's map alone on a page, with points of one's own: no gallery, no server."""

from pathlib import Path

import numpy as np
import pandas as pd
import plotly
import plotly.graph_objects as go
from browsing import wait_for

from sigscope.figures import map_figure

COMPONENTS = Path(__file__).parents[2] / "explorer" / "components"
LIBRARY = Path(plotly.__file__).with_name("package_data") / "plotly.min.js"
PAGE = """<!doctype html><meta charset="utf-8"><style>{css}</style><div id="home"></div>
<script type="module">{js}
window.told = [];
window.show = (figure) => start({{
  parentElement: document.querySelector("#home"),
  data: {{ figure, name: "points", alt: "a map", base: "", library: "{library}" }},
  setTriggerValue: (name, value) => window.told.push([name, value]),
}});
</script>
"""
IS_DRAWN = "return !!document.querySelector('.map[data-heard]')"
PLANE = """
const plane = document.querySelector('.map .nsewdrag').getBoundingClientRect();
return [plane.left, plane.top, plane.width, plane.height];
"""


def map_of(n: int, kinds: int = 20) -> go.Figure:
    """Return a map of n points of some kinds, each around a place of its own."""
    rng = np.random.default_rng(0)
    of = rng.integers(0, kinds, n)
    x, y = rng.standard_normal((2, kinds))[:, of] + 0.3 * rng.standard_normal((2, n))
    table = pd.DataFrame({"id": np.arange(n).astype(str), "kind": "picture", "x": x, "y": y})
    return map_figure(table.assign(caption="", category=[f"kind {k}" for k in of], split=""))


def open_map(driver, home: Path, figure: go.Figure) -> tuple[float, float, float, float]:
    """Show a figure as the page "Map" does, from a file in home; return where its points lie.

    That is the left and the top edge of the plane, its width and its height, in pixels.
    """
    still, js, css = (
        (COMPONENTS / name).read_text(encoding="utf-8")
        for name in ("still.js", "map.js", "map.css")
    )
    js = still + js.replace("export default function", "function start")
    page = home / "map.html"
    page.write_text(PAGE.format(css=css, js=js, library=LIBRARY.as_uri()), encoding="utf-8")
    driver.get(page.as_uri())
    show(driver, figure)
    return driver.execute_script(PLANE)


def show(driver, figure: go.Figure) -> None:
    """Show a figure in the place of the one that is there."""
    driver.execute_script("window.show(arguments[0])", figure.to_json())
    wait_for(driver, lambda: driver.execute_script(IS_DRAWN))


def mouse(driver, kind: str, x: float, y: float, **more: object) -> None:
    """Do something with the mouse: mouseMoved, mousePressed, mouseReleased, mouseWheel."""
    event = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1, **more}
    driver.execute_cdp_cmd("Input.dispatchMouseEvent", event)
