"""What keeps a crowd, a stranger's page and a hostile text from doing harm to the explorer."""

import asyncio
import os
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from time import monotonic, sleep

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from sigscope import paths
from sigscope.cli import launch

FDS = Path("/proc/self/fd")


@pytest.mark.skipif(not FDS.exists(), reason="nothing here lists the descriptors of a process")
def test_an_idle_visitor_holds_no_descriptor():
    from descriptors import IdleLoop

    before = len(list(FDS.iterdir()))
    loops = [IdleLoop() for _ in range(50)]
    assert len(list(FDS.iterdir())) == before
    for loop in loops:
        assert loop.run_until_complete(asyncio.sleep(0, "done")) == "done"
    assert len(list(FDS.iterdir())) == before
    for loop in loops:
        loop.close()
    assert all(loop.is_closed() for loop in loops)


def test_an_idle_loop_runs_as_any_other_when_it_is_asked():
    from descriptors import IdleLoop

    async def work():
        loop = asyncio.get_running_loop()
        return [await loop.run_in_executor(None, sum, (1, n)) for n in range(3)]

    loop = IdleLoop()
    assert loop.run_until_complete(work()) == [1, 2, 3] == loop.run_until_complete(work())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def test_sessions_get_idle_loops_and_the_limit_is_what_the_system_allows():
    code = (
        "import resource, sys; sys.path.insert(0, sys.argv[1])\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))\n"
        "import descriptors\n"
        "descriptors.raise_limit(); descriptors.hold_none_for_idle_visitors()\n"
        "assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 256 or hard <= 256\n"
        "assert descriptors.AppSession.__init__.__wrapped__\n"
    )
    subprocess.run([sys.executable, "-c", code, str(paths.EXPLORER)], check=True)


def test_every_answer_forbids_frames_and_other_places():
    from headers import HEADERS, SafeHeaders

    own = {"Content-Security-Policy": "default-src 'none'; sandbox"}
    routes = [
        Route("/page", lambda request: PlainTextResponse("a page")),
        Route("/file", lambda request: PlainTextResponse("a file", headers=own)),
    ]
    client = TestClient(Starlette(routes=routes, middleware=[Middleware(SafeHeaders)]))
    for path in ("/page", "/gone"):
        answer = client.get(path)
        assert {name.encode() for name in answer.headers} >= HEADERS.keys()
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy and "http" not in policy and "*" not in policy
    assert client.get("/file").headers["content-security-policy"] == own["Content-Security-Policy"]


class Texts(HTMLParser):
    """The text of a page, and the elements that are no paragraph."""

    def __init__(self):
        super().__init__()
        self.text, self.others = "", []

    def handle_data(self, data):
        self.text += data

    def handle_starttag(self, tag, attrs):
        self.others += [tag] if tag not in ("p", "br") else []


HOSTILE = ["**bold**", "[click](http://x)", "![](http://x/a.png)", "# head", "- list", "1. one"]
HOSTILE += ["> said", "`code`", "<b>html</b>", "<http://x>", "&lt;b&gt;", "~~gone~~", "a_b_c"]
HOSTILE += ["$x^2$", ":red[x]", ":material/home:", "| a |\n|-|\n| b |", "a\n\n    code", "---"]


@given(st.one_of(st.sampled_from(HOSTILE), st.text("ab*_`[]()<>#-+.!|~:$&\\ \n1;", max_size=20)))
@settings(max_examples=300, deadline=None)
def test_no_text_counts_as_markdown(text):
    from literal import literal

    page = Texts()
    page.feed(MarkdownIt("commonmark").enable("strikethrough").render(literal(text)))
    assert not page.others
    assert page.text.strip() == " ".join(text.split())
    for opening in (":red[", ":material", "$"):
        at = literal(text).find(opening)
        assert at < 1 or literal(text)[at - 1] == "\\" or opening not in text


def test_no_sentence_becomes_a_script():
    from streamlit.testing.v1 import AppTest

    def page():
        import streamlit as st

        from parts import notices

        notices.say("a file */ alert(1) /* </script><script>alert(2)</script> was not read")
        notices.show(st.container())

    app = AppTest.from_function(page, default_timeout=600).run()
    assert not app.exception and "alert" in app.error[0].value
    written = "".join(str(element.proto) for element in app.get("html"))
    assert "Main" in written and "alert" not in written


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nobody is killed so here")
def test_the_explorer_ends_when_its_parent_is_killed(tmp_path):
    """The parent only starts it, says its number and is killed; a pipe tells the child."""
    child = (
        "import sys, types, time; sys.path.insert(0, sys.argv[1])\n"
        "source = open(sys.argv[1] + '/serve.py').read()\n"
        "body = source[source.index('def end_with_parent'):source.index('@asynccontextmanager')]\n"
        "import os, signal; from time import sleep; GRACE_S = 0.1\n"
        "exec(body); end_with_parent()\n"
    )
    parent = (
        "import subprocess, sys, time\n"
        "command = [sys.executable, '-c', sys.argv[1], sys.argv[2]]\n"
        "child = subprocess.Popen(command, stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", parent, child, str(paths.EXPLORER)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        number = int(process.stdout.readline())
        process.kill()
    until = monotonic() + 120
    while monotonic() < until and _is_alive(number):
        sleep(0.05)
    assert not _is_alive(number)


def _is_alive(number: int) -> bool:
    state = Path(f"/proc/{number}/stat")
    if not Path("/proc").exists():
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return False
        return True
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def test_the_server_is_told_that_its_input_is_held(monkeypatch):
    assert launch._environment()[launch.HELD] == "1"
    import ast

    tree = ast.parse((paths.EXPLORER / "serve.py").read_text())
    named = [n.value.value for n in tree.body if isinstance(n, ast.Assign)
             and getattr(n.targets[0], "id", "") == "HELD"]  # fmt: skip
    assert named == [launch.HELD]


CROWD, LIMIT = 150, 256


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no such limit")
def test_a_crowd_at_the_default_limit_of_a_mac_meets_no_dead_server(monkeypatch):
    """One after the other, within the two minutes for which their sessions are kept."""
    from visitors import visit

    command = launch._command
    limited = ["sh", "-c", f'ulimit -n {LIMIT}; exec "$@"', "sh"]
    monkeypatch.setattr(launch, "_command", lambda port: [*limited, *command(port)])
    port = launch.free_port()

    async def come_and_go():
        for _ in range(CROWD):
            visitor = await visit(port)
            assert not visitor.errors
            await visitor.socket.close()

    with launch.explorer(port) as process:
        launch.wait(process, port, 180)
        asyncio.run(come_and_go())
        launch.check_alive(process, port)
