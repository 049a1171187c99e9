"""A picture from the clipboard: Ctrl-V anywhere on the page hands it to the search."""

import base64
from collections.abc import Callable

import streamlit as st

JS = """
const MOST = 20_000_000;
export default function ({ setTriggerValue }) {
  const onPaste = (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    const picture = files.find((file) => file.type.startsWith("image/"));
    if (!picture || picture.size > MOST) return;
    event.preventDefault();
    const reader = new FileReader();
    reader.onload = () => setTriggerValue("pasted", reader.result);
    reader.readAsDataURL(picture);
  };
  document.addEventListener("paste", onPaste);
  return () => document.removeEventListener("paste", onPaste);
}
"""


@st.cache_resource(show_spinner=False)
def _component() -> Callable:
    return st.components.v2.component("paste-a-picture", js=JS)


def listen(act: Callable[[bytes], None]) -> None:
    """Call act with the bytes of each picture that the visitor pastes."""
    found = _component()(key="paste", on_pasted_change=lambda: None, height="content")
    if found.pasted:
        act(base64.b64decode(found.pasted.partition(",")[2]))
        st.rerun()
