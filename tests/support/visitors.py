"""Visitors of a running explorer over its web socket, many at once and without browsers.

They speak Streamlit's own protocol: a visitor sends the state of the widgets it has been shown, and
receives what the page's script writes.
"""

import asyncio
import json
from dataclasses import dataclass, field
from time import perf_counter

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

FINISHED = ForwardMsg.FINISHED_SUCCESSFULLY
PATIENCE_S = 60


@dataclass
class Visitor:
    """One session: the widgets of its page, and the captions on it."""

    socket: websockets.ClientConnection
    widgets: dict[str, str] = field(default_factory=dict)  # id by key
    words: str = ""
    captions: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def search(self, words: str) -> float:
        """Search for words and return the seconds until the page is whole."""
        message = BackMsg()
        states = message.rerun_script.widget_states.widgets
        text = states.add()
        text.id, text.string_value = self.widgets["q"], words
        button = states.add()
        button.id, button.trigger_value = self.widgets["search"], True
        start = perf_counter()
        await self.socket.send(message.SerializeToString())
        await self.read()
        return perf_counter() - start

    async def read(self) -> None:
        """Read what a run of the script writes, to its end."""
        self.captions = []
        while True:
            message = ForwardMsg()
            message.ParseFromString(await asyncio.wait_for(self.socket.recv(), PATIENCE_S))
            kind = message.WhichOneof("type")
            if kind == "delta":
                self._note(message.delta)
            elif kind == "script_finished" and message.script_finished == FINISHED:
                return

    def _note(self, delta) -> None:
        element = delta.new_element
        kind = element.WhichOneof("type")
        if kind == "text_input":
            key = element.text_input.id.rsplit("-", 1)[-1]
            self.widgets[key] = element.text_input.id
        elif kind == "button" and element.button.label == "Search":
            self.widgets["search"] = element.button.id
        elif kind == "bidi_component" and element.bidi_component.component_name.endswith("-cards"):
            rows = json.loads(element.bidi_component.json)["rows"]
            self.captions = [caption or id.rpartition("/")[2] for id, caption, *_ in rows]
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
