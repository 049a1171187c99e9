"""Visitors of a running explorer over its web socket, many at once and without browsers.

They speak Streamlit's own protocol: a visitor sends the state of the widgets it has been shown, and
receives what the page's script writes.
"""

import asyncio
import json
from dataclasses import dataclass, field
from time import perf_counter

import websockets
from streamlit.components.v2.bidi_component.main import _make_trigger_id
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

FINISHED = ForwardMsg.FINISHED_SUCCESSFULLY
PATIENCE_S = 120  # on a busy machine, where the first map is being made, too


@dataclass
class Visitor:
    """One session: the widgets of its page, and what is on it."""

    socket: websockets.ClientConnection
    widgets: dict[str, str] = field(default_factory=dict)  # id by key, of a button also by label
    pages: dict[str, str] = field(default_factory=dict)  # hash by path
    page: str = ""
    captions: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)  # of the messages of the last act, in bytes

    async def search(self, words: str) -> float:
        """Search for words and return the seconds until the page is whole."""
        return await self.act(q=words, Search=True)

    async def go(self, page: str) -> float:
        """Go to another page, by its path."""
        self.page = self.pages[page]
        self.widgets.clear()
        return await self.act()

    async def act(self, **values: str | bool | dict) -> float:
        """Do what sets widgets to values: True presses a button, a dict is an event by its name.

        Returns:
            The seconds until the page is whole.
        """
        message = BackMsg()
        message.rerun_script.page_script_hash = self.page
        for key, value in values.items():
            state = message.rerun_script.widget_states.widgets.add()
            state.id = self.widgets[key]
            if isinstance(value, dict):
                state.id = _make_trigger_id(state.id, "events")
                [(event, told)] = value.items()
                state.json_trigger_value = json.dumps([{"event": event, "value": told}])
            elif isinstance(value, bool):
                state.trigger_value = value
            else:
                state.string_value = value
        start = perf_counter()
        await self.socket.send(message.SerializeToString())
        await self.read()
        return perf_counter() - start

    async def read(self) -> None:
        """Read what a run of the script writes, to its end."""
        self.captions, self.texts, self.sizes = [], [], []
        while True:
            message, told = ForwardMsg(), await asyncio.wait_for(self.socket.recv(), PATIENCE_S)
            message.ParseFromString(told)
            self.sizes.append(len(told))
            kind = message.WhichOneof("type")
            if kind == "delta":
                self._note(message.delta.new_element)
            elif kind == "navigation":
                pages = message.navigation.app_pages
                self.pages = {page.url_pathname: page.page_script_hash for page in pages}
            elif kind == "script_finished" and message.script_finished == FINISHED:
                return

    def _note(self, element) -> None:
        kind = element.WhichOneof("type")
        id = getattr(getattr(element, kind or "", None), "id", "")
        if id.startswith("$$ID-"):
            self.widgets[id.split("-", 2)[2]] = id
        if kind == "button":
            self.widgets[element.button.label] = id
        elif kind == "bidi_component" and element.bidi_component.component_name.endswith("-cards"):
            rows = json.loads(element.bidi_component.json)["rows"]
            self.captions = [caption or id.rpartition("/")[2] for id, caption, *_ in rows]
        elif kind == "text":
            self.texts.append(element.text.body)
        elif kind == "exception" or (kind == "alert" and element.alert.format == 1):
            self.errors.append(str(element))


async def visit(port: int) -> Visitor:
    """Open the explorer as one more visitor and read its first page."""
    address = f"ws://localhost:{port}/_stcore/stream"
    origin = f"http://localhost:{port}"
    socket = await websockets.connect(
        address, subprotocols=["streamlit"], origin=origin, max_size=None, open_timeout=PATIENCE_S
    )
    visitor = Visitor(socket)
    message = BackMsg()
    message.rerun_script.query_string = ""
    await socket.send(message.SerializeToString())
    await visitor.read()
    return visitor
