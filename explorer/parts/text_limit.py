"""The limit on text in pictures, and the measuring of it: what is not measured is not offered."""

from dataclasses import dataclass
from threading import Thread

import streamlit as st

import resources
from parts import notices
from sigscope import Gallery
from sigscope.rerank import known_text_areas, measure_text_areas, ocr_is_installed

MEASURED = (
    "The share of a picture that is writing, from 0 to 1, measured by character recognition. 1 "
    "leaves nothing out; 0 leaves pictures without any."
)
MOST_LESS = 0.3  # in units of cosine


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


def now() -> tuple[float, float]:
    """Return the limits on text: how much of a picture, and what a picture of it loses."""
    most, less = st.session_state["text"], st.session_state["less"]
    if _reading(resources.version()).share >= 1:
        return most, less
    if most < 1 or less:
        notices.say("How much of each picture is writing has not been measured here, so no "
                    "picture is left out or lowered for it")  # fmt: skip
    return 1.0, 0.0


def chip() -> None:
    """Show the limits on text where it is measured, else how to have that."""
    reading = _reading(resources.version())
    if reading.share < 1 and not ocr_is_installed():
        return
    with st.popover("Text", key="text chip"):
        if reading.share < 1:
            _offer(reading)
            return
        st.slider("Text in pictures, at most", 0.0, 1.0, step=0.05, key="text", help=MEASURED)
        st.slider(
            "Lower pictures of text", 0.0, MOST_LESS, step=0.05, key="less",
            help="What a picture that is all text loses, in units of cosine, unless the words "
            "ask for text. For searches by words alone.",
        )  # fmt: skip


def _offer(reading: Reading) -> None:
    """Offer to measure the text in pictures, or say how far that is."""
    if reading.begun:
        st.caption(f"The text in pictures is being measured: {reading.share:.0%} read.")
        return
    if reading.failed:
        st.error(reading.failed)
    st.button("Measure the text in pictures", key="measure text", on_click=_begin,
              help="Reads every picture once, about ten a second, while you go on; what it finds "
              "is kept. Then pictures can be left out for their text.")  # fmt: skip


def _begin() -> None:
    reading = _reading(resources.version())
    if not reading.begun:
        reading.begun, reading.failed = True, ""
        Thread(target=reading.go, args=(resources.gallery(),), daemon=True).start()


@st.cache_resource(show_spinner=False)
def _reading(key: str) -> Reading:
    """Return the one reading of a gallery, whoever began it; over at once if it was read before."""
    known = ocr_is_installed() and known_text_areas(resources.gallery(key)) is not None
    return Reading(share=1.0 if known else 0.0)
