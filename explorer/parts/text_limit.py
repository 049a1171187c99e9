"""The limit on text in pictures: a slider, what it goes by, and the measuring of it.

Until the text in a gallery's pictures has been measured, how much there is is estimated by prompts.
"""

from dataclasses import dataclass
from threading import Thread

import streamlit as st

import resources
from sigscope import Gallery
from sigscope.rerank import known_text_areas, measure_text_areas, ocr_is_installed

ESTIMATED = "How much a picture looks like text to the model, from 0 to 1, estimated by prompts."
MEASURED = "The share of a picture that is writing, from 0 to 1, measured by character recognition."
LEAST = {ESTIMATED: 0.3, MEASURED: 0.0}  # a limit that leaves pictures without text


@dataclass
class Reading:
    """How far the reading of a gallery's pictures has got."""

    share: float = 0.0  # 1 is all of them
    begun: bool = False
    failed: str = ""

    def tell(self, done: int, total: int) -> None:
        self.share = min(done / total, 0.99)

    def go(self, gallery: Gallery) -> None:
        try:
            measure_text_areas(gallery, progress=self.tell)
            self.share = 1.0
        except (ImportError, OSError) as reason:
            self.failed, self.begun = str(reason), False


def slider() -> float:
    """Show the slider, what it goes by and how to have that measured; return the limit."""
    reading = _reading(resources.current())
    goes_by = MEASURED if reading.share == 1 else ESTIMATED
    most = st.slider(
        "Text in pictures, at most", 0.0, 1.0, 1.0, 0.05, key="text", bind="query-params",
        help=f"{goes_by} 1 leaves nothing out; for pictures without text, try {LEAST[goes_by]:g}.",
    )  # fmt: skip
    if goes_by == ESTIMATED:
        _estimated(reading)
    return most


def _estimated(reading: Reading) -> None:
    """Say that the limit is an estimate; offer to measure, or say how far that is."""
    if not ocr_is_installed():
        st.caption('Text is estimated by prompts; to measure it, `pip install -e ".[ocr]"`.')
    elif reading.begun:
        st.caption(f"Text is estimated until it is measured: {reading.share:.0%} read.")
    else:
        st.caption(f"Text is estimated by prompts. {reading.failed}".strip())
        st.button("Measure the text in pictures", key="measure text", on_click=_begin,
                  help="Reads every picture once, about ten a second, while you go on; what "
                  "it finds is kept.")  # fmt: skip


def _begin() -> None:
    reading = _reading(resources.current())
    if not reading.begun:
        reading.begun, reading.failed = True, ""
        Thread(target=reading.go, args=(resources.gallery(),), daemon=True).start()


@st.cache_resource(show_spinner=False)
def _reading(key: str) -> Reading:
    """Return the one reading of a gallery, whoever began it; over at once if it was read before."""
    known = ocr_is_installed() and known_text_areas(resources.gallery(key)) is not None
    return Reading(share=1.0 if known else 0.0)
