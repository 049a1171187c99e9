"""The model hub: a loopback server stands in for it, or is silent, refuses, or answers badly."""

import hashlib
import json
import shutil
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import perf_counter

import huggingface_hub.constants as settings
import pytest

from sigscope.models import hub
from sigscope.models.encoder import Encoder
from sigscope.models.hub import ModelError

NAME = "someone/tiny-siglip"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(settings, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(settings, "HF_HUB_OFFLINE", False)
    return tmp_path / "cache"


@pytest.fixture
def silent_port():
    """A port whose server accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return port


class FakeHub(BaseHTTPRequestHandler):
    """As much of the hub as a download of one model asks for."""

    folder, status, asked = None, 200, []

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.asked.append(self.path)
        paths = [path for path in self.folder.rglob("*") if path.is_file()]
        files = {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}
        if "/resolve/" in self.path:
            return self.send(files[self.path.partition("/resolve/")[2].partition("/")[2]])
        if "/tree/" in self.path:
            kinds = {"type": "file", "oid": "1" * 40}
            return self.send([kinds | {"path": k, "size": len(v)} for k, v in files.items()])
        siblings = [{"rfilename": name} for name in files]
        return self.send({"id": NAME, "sha": COMMIT, "siblings": siblings})

    def send(self, answer):
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def fake_hub(checkpoint, tmp_path, monkeypatch):
    folder = shutil.copytree(checkpoint("siglip"), tmp_path / "hub")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    handler = type("Handler", (FakeHub,), {"folder": folder, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at(server.server_port, monkeypatch)
    yield handler
    server.shutdown()
    server.server_close()


def at(port, monkeypatch):
    address = f"http://127.0.0.1:{port}"
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(settings, "ENDPOINT", address)
    monkeypatch.setattr(settings, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def refusal():
    """Return the sentence, which must come in time and name both ways on."""
    start = perf_counter()
    with pytest.raises(ModelError) as caught:
        Encoder.load(NAME)
    assert perf_counter() - start < 5
    sentence = str(caught.value)
    assert f"{NAME} is not in this machine's model cache" in sentence
    assert "local model folder" in sentence and "siglit-mini" in sentence
    return sentence


def test_a_hub_that_never_answers(silent_port, monkeypatch):
    at(silent_port, monkeypatch)
    assert "the model hub did not answer within" in refusal()


def test_a_hub_that_refuses(closed_port, monkeypatch):
    at(closed_port, monkeypatch)
    assert "the model hub cannot be reached" in refusal()


def test_an_address_that_takes_for_ever_to_look_up(monkeypatch):
    at(1, monkeypatch)
    monkeypatch.setattr(hub, "_refusal", lambda name: threading.Event().wait(20))
    assert "the model hub did not answer within" in refusal()


def test_a_hub_that_is_switched_off(silent_port, tmp_path):
    """Both settings are read when huggingface_hub is imported, so in a process of its own."""
    code = "import sys; from sigscope.models.encoder import Encoder; Encoder.load(sys.argv[1])"
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": ""}
    environment |= {"HF_ENDPOINT": f"http://127.0.0.1:{silent_port}"}
    command = [sys.executable, "-c", code, NAME]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "the hub is switched off by HF_HUB_OFFLINE" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("status", [401, 404, 500, 503])
def test_a_hub_that_does_not_have_it(fake_hub, status):
    fake_hub.status = status
    assert f"answered {status}" in refusal()


def test_a_model_is_downloaded_once_and_then_needs_no_hub(
    fake_hub, checkpoint, closed_port, monkeypatch
):
    encoder = Encoder.load(NAME)
    assert encoder.model == NAME and encoder.describe().startswith(NAME)
    assert not [path for path in fake_hub.asked if "pytorch_model.bin" in path]
    local = Encoder.load(checkpoint("siglip"))
    assert encoder.identity == local.identity | {"model": NAME}
    at(closed_port, monkeypatch)
    assert Encoder.load(NAME).identity == encoder.identity


def test_a_half_downloaded_model_is_not_loaded_but_completed(
    fake_hub, closed_port, monkeypatch, empty_cache
):
    port = settings.ENDPOINT.rpartition(":")[2]
    Encoder.load(NAME)
    weights = next(empty_cache.rglob("model.safetensors"))
    weights.resolve().unlink()
    weights.unlink()
    at(closed_port, monkeypatch)
    assert "cannot be reached" in refusal()
    at(port, monkeypatch)
    assert Encoder.load(NAME).model == NAME


def test_a_download_that_breaks_off(fake_hub, monkeypatch):
    def break_off(*_, **__):
        raise OSError("No space left on device\nand more")

    monkeypatch.setattr("huggingface_hub.snapshot_download", break_off)
    with pytest.raises(ModelError, match=r"broke off \(No space left on device\); give the path"):
        Encoder.load(NAME)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer_config.json"])
def test_a_downloaded_file_that_is_not_the_hubs_any_more_is_refused(fake_hub, empty_cache, name):
    Encoder.load(NAME)
    blob = next(empty_cache.rglob(name)).resolve()
    data = blob.read_bytes()
    blob.write_bytes(data[:-1] + b"\x01" if name == "model.safetensors" else data + b" ")
    with pytest.raises(ModelError, match=f"delete {blob}"):
        Encoder.load(NAME)
    blob.unlink()
    assert Encoder.load(NAME).model == NAME


def test_small_files_are_compared_as_git_counts_them(checkpoint, tmp_path):
    """A cache of the hub's names a file that is no LFS file by git's SHA-1 of it."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / COMMIT
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for path in checkpoint("siglip").iterdir():
        data = path.read_bytes()
        named = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        (blobs / named).write_bytes(data)
        (snapshot / path.name).symlink_to(blobs / named)
    assert Encoder.load(snapshot, dtype="float32").family == "siglip"
    blob = (snapshot / "tokenizer_config.json").resolve()
    blob.write_bytes(blob.read_bytes() + b"\n")
    with pytest.raises(ModelError, match="not the file that the model hub has"):
        Encoder.load(snapshot)


@pytest.mark.parametrize("others", [True, False])
def test_weights_of_open_clip_are_fetched_where_there_are_no_others(fake_hub, others):
    for name in ("open_clip_config.json", "open_clip_model.safetensors"):
        (fake_hub.folder / name).write_bytes(b"{}")
    if not others:
        (fake_hub.folder / "config.json").unlink()
        (fake_hub.folder / "model.safetensors").unlink()
    names = {path.name for path in hub.download(NAME).iterdir()}
    assert ("open_clip_model.safetensors" in names) != others and "pytorch_model.bin" not in names
    assert hub.cached_snapshot(NAME).name == COMMIT


IN_FOLDERS = {
    "immich": (
        {"config.json", "textual/model.onnx", "textual/tokenizer.json", "visual/model.onnx",
         "visual/model.onnx.data", "visual/preprocess_cfg.json"},
        {"visual/rknpu/rk3588/model.rknn", "visual/fp16/model.armnn"},
    ),
    "sentence-transformers": (
        {"modules.json", "0_CLIPModel/config.json", "0_CLIPModel/model.safetensors",
         "0_CLIPModel/merges.txt", "1_Pooling/config.json", "2_Dense/model.safetensors"},
        {"0_CLIPModel/pytorch_model.bin", "onnx/model.onnx", "openvino/config.json"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("layout", IN_FOLDERS)
def test_of_a_model_in_folders_all_that_is_read_is_fetched_and_no_more(fake_hub, layout):
    wanted, others = IN_FOLDERS[layout]
    for path in fake_hub.folder.iterdir():
        path.unlink()
    for name in wanted | others:
        path = fake_hub.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    folder = hub.download(NAME)
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == wanted
    assert all((folder / name).read_bytes() == name.encode() for name in wanted)
    assert hub.cached_snapshot(NAME) == folder
