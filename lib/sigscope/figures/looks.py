"""Looks: the colours of a map by day and by night."""

from dataclasses import dataclass

from sigscope.figures.theme import PALETTE

SHARED = [PALETTE[name] for name in ("blue", "orange", "green", "vermilion", "purple", "sky")]


@dataclass(frozen=True)
class Look:
    """The colours of a map: light or dark.

    Attributes:
        background, ink: of the page and its text.
        faint: points that are there but not meant.
        colours: for groups, told apart by colour-blind eyes, on this background.
        scale: from little to much.
        veil: behind a label, see-through.
    """

    background: str
    ink: str
    faint: str
    colours: tuple[str, ...]
    scale: tuple[str, ...]
    veil: str


LOOKS = {
    "light": Look(
        "#FFFFFF",
        "#222222",
        "#C4C7CC",
        (*SHARED, PALETTE["black"]),
        ("#DCE3E8", PALETTE["sky"], PALETTE["blue"], "#00243B"),
        "rgba(255,255,255,.78)",
    ),
    "dark": Look(
        "#0E1117",
        "#E8EAED",
        "#4A505B",
        (*SHARED, PALETTE["yellow"]),
        ("#2C3440", PALETTE["blue"], PALETTE["sky"], "#FFF6A0"),
        "rgba(14,17,23,.72)",
    ),
}
