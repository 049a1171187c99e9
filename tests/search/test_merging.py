import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sigscope.search.merging import Endpoint, MergeError, by_template

# --- by template


@pytest.mark.parametrize(
    ("caption", "words", "sentence"),
    [
        ("a red apple", "green", "a green apple"),
        ("a Red apple.", "green", "a green apple"),
        ("two cats", "three", "three cats"),
        ("a tired cat", "red", "a tired cat, red"),
        ("an apple", "green", "an apple, green"),
        ("a bear", "a drawing", "a drawing of a bear"),
        ("a bear", "Silhouette", "Silhouette of a bear"),
        ("a red bear", "in a green field", "a red bear, in a green field"),
        ("a bear", " ", "a bear"),
        ("", "a drawing", "a drawing"),
    ],
)
def test_caption_and_words_are_merged_by_rule(caption, words, sentence):
    assert by_template(caption, words) == sentence


# --- by an endpoint


class Model(BaseHTTPRequestHandler):
    """Answers what its server's ``answer`` says, and keeps what it was asked."""

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.server.asked.append((self.path, self.headers, json.loads(self.rfile.read(length))))
        status, body, pause = self.server.answer
        self.send_response(status)
        self.end_headers()
        try:
            for piece in body if isinstance(body, list) else [body]:
                self.wfile.write(piece)
                self.wfile.flush()
                time.sleep(pause)
        except OSError:
            pass

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.daemon_threads, server.block_on_close = True, False
    server.asked, server.url = [], f"http://127.0.0.1:{server.server_port}/v1/"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def said(text):
    return 200, json.dumps({"choices": [{"message": {"content": text}}]}).encode(), 0


def test_an_endpoint_is_asked_as_openai_asks(server):
    server.answer = said('\n "a drawing of a bear"\nHope this helps!')
    merge = Endpoint(server.url, "some-model", "secret")
    assert merge("a bear", "a drawing") == "a drawing of a bear"
    path, headers, body = server.asked[0]
    assert path == "/v1/chat/completions" and headers["Authorization"] == "Bearer secret"
    assert body["model"] == "some-model" and "a bear" in body["messages"][-1]["content"]


def test_without_a_key_none_is_sent_and_it_is_never_shown(server):
    server.answer = said("a bear")
    Endpoint(server.url, "m")("a", "b")
    assert "Authorization" not in server.asked[0][1]
    assert "secret" not in repr(Endpoint(server.url, "m", "secret"))


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((401, b"{}", 0), "it answered 401"),
        ((307, b"", 0), "it answered 307"),
        ((200, b"<html>", 0), "did not merge"),
        ((200, b"[]", 0), "not a chat completion"),
        ((200, b'{"choices": []}', 0), "not a chat completion"),
        ((200, b'{"choices": [{"message": {"content": null}}]}', 0), "not a chat completion"),
        (said(" \n"), "its answer is empty"),
        ((200, [b" " * 65536] * 40, 0), "too long"),
    ],
)
def test_a_bad_answer_is_one_sentence(answer, sentence, server):
    server.answer = answer
    with pytest.raises(MergeError, match=sentence) as caught:
        Endpoint(server.url, "m", "secret")("a", "b")
    assert "merge by template" in str(caught.value) and "secret" not in str(caught.value)


def test_an_answer_that_drips_or_never_comes_is_given_up(server):
    for answer in ((200, [b" "] * 100, 0.05), (200, [b"", b"late"], 5)):
        server.answer = answer
        start = time.monotonic()
        with pytest.raises(MergeError, match="did not merge"):
            Endpoint(server.url, "m", seconds=0.3)("a", "b")
        assert time.monotonic() - start < 3


def test_nobody_there_is_one_sentence(server):
    url = "http://127.0.0.1:9/v1"
    with pytest.raises(MergeError, match="the language model at http://127.0.0.1:9/v1 did not"):
        Endpoint(url, "m", seconds=2)("a", "b")


def test_the_environment_sets_it_up_and_nothing_else_does(monkeypatch):
    monkeypatch.delenv("SIGSCOPE_LLM_URL", raising=False)
    assert Endpoint.from_environment() is None
    monkeypatch.setenv("SIGSCOPE_LLM_URL", "http://localhost:1/v1")
    with pytest.raises(MergeError, match="SIGSCOPE_LLM_MODEL"):
        Endpoint.from_environment()
    monkeypatch.setenv("SIGSCOPE_LLM_MODEL", "m")
    monkeypatch.setenv("SIGSCOPE_LLM_KEY", "k")
    assert Endpoint.from_environment() == Endpoint("http://localhost:1/v1", "m", "k")
    monkeypatch.setenv("SIGSCOPE_LLM_URL", "localhost:1")
    with pytest.raises(MergeError, match="begins with http"):
        Endpoint.from_environment()


@pytest.mark.parametrize("model", ["", "m"])
def test_a_password_in_the_address_is_never_shown(model):
    url = "http://someone:s3cret@localhost:1/v1?key=s3cret#s3cret"
    with pytest.raises(MergeError) as raised:
        endpoint = Endpoint(url, model, seconds=1)
        assert "s3cret" not in repr(endpoint)
        endpoint("a caption", "words")
    assert "s3cret" not in str(raised.value) and "someone" not in str(raised.value)
    assert "http://localhost:1/v1" in str(raised.value)


def test_nor_is_one_in_what_is_no_address():
    with pytest.raises(MergeError) as raised:
        Endpoint("localhost:s3cret@x", "m")
    assert "s3cret" not in str(raised.value)
