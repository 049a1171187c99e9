"""The palette: one colour-blind-safe set of colours, and the dress that every figure wears."""

PALETTE = {  # Okabe & Ito 2008, "Color Universal Design", the darker half first
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
}
GREY = "#767676"
COLOURS = {  # one thing, one colour, in every figure of the repository
    "train": PALETTE["blue"],
    "val": PALETTE["sky"],
    "test": PALETTE["orange"],
    "drawing": PALETTE["green"],
    "photo": PALETTE["purple"],
    "text to image": PALETTE["blue"],
    "image to text": PALETTE["vermilion"],
    "picture": PALETTE["blue"],
    "caption": PALETTE["orange"],
    "own caption": PALETTE["green"],
    "random caption": GREY,
    "sigmoid": PALETTE["purple"],
    "softmax": PALETTE["green"],
    "chance": PALETTE["black"],
}
SCALE = [[0, "#FFFFFF"], [1, PALETTE["blue"]]]  # from little to much

_AXIS = {
    "gridcolor": "#E4E4E4",
    "linecolor": "#8A8A8A",
    "showline": True,
    "ticks": "outside",
    "tickcolor": "#8A8A8A",
    "zeroline": False,
    "automargin": True,
    "title": {"standoff": 12},
}
TEMPLATE = {
    "layout": {
        "font": {"family": "Helvetica, Arial, sans-serif", "size": 13, "color": "#222222"},
        "colorway": list(PALETTE.values()),
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "margin": {"l": 60, "r": 20, "t": 50, "b": 55},
        "hoverlabel": {"align": "left"},
    }
}


def colour_of(name: object, number: int = 0) -> str:
    """Return the colour of a thing that has one, or else the number-th of the palette."""
    return COLOURS.get(str(name)) or list(PALETTE.values())[number % len(PALETTE)]
