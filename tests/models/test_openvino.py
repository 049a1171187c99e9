"""OpenVINO computes what torch computes, or is left out; these tests need the extra openvino."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image

from sigscope import paths
from sigscope.models import openvino
from sigscope.models.encoder import Encoder
from sigscope.models.pace import BY_OPENVINO, FULL

pytestmark = pytest.mark.skipif(not find_spec("openvino"), reason="OpenVINO is not installed")
TEXTS = ["a red bus", "42", "very " * 90 + "long", "Äpfel, café & Un chat noir", "two\nlines"]
MODELS = ["siglip", "clip", "dual", "convolutional", "siglit-mini"]


@pytest.fixture(autouse=True)
def wanted(monkeypatch):
    monkeypatch.delenv("SIGSCOPE_COMPILE", raising=False)
    monkeypatch.setenv("CXX", "no-compiler")  # torch compiles nothing


@pytest.fixture(params=MODELS)
def folder(request, checkpoint):
    return paths.MINI if request.param == "siglit-mini" else checkpoint(request.param)


def drawn(n):
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(256, size=(40, 50, 3), dtype=np.uint8)) for _ in range(n)]


def test_pictures_of_a_full_batch_are_those_of_torch(folder):
    encoder = Encoder.load(folder, dtype="float32")
    batch = encoder.preprocess(drawn(FULL))
    exact = encoder.encode_batch(batch)  # by the first way that is tried, which is torch's
    pace = encoder._computed.pace
    pace.settle(batch)
    assert pace._engine is not None and BY_OPENVINO in pace._seconds
    ours = pace._engine(batch)
    ours /= np.linalg.norm(ours, axis=1, keepdims=True)
    assert np.abs(ours - exact).max() < 1e-5


def test_a_text_by_itself_is_what_it_is_among_others(folder):
    encoder = Encoder.load(folder, towers=("text",), dtype="float32")
    among = encoder.encode_texts(TEXTS)
    encoder._alone.settle("warm up")
    assert encoder._alone._compiled is not None
    with ThreadPoolExecutor(4) as pool:
        alone = list(pool.map(lambda text: encoder.encode_texts([text])[0], TEXTS * 4))
    assert np.abs(np.array(alone) - np.tile(among, (4, 1))).max() < 1e-5


def test_the_library_says_nothing_to_its_makers(checkpoint):
    encoder = Encoder.load(checkpoint("dual"), towers=("text",), dtype="float32")
    encoder._alone.settle("warm up")
    assert sys.modules["openvino_telemetry"] is None


def test_a_tower_that_disagrees_is_refused():
    rows = {"pixel_values": torch.ones(1, 3, 4, 4)}
    tower = lambda pixel_values: pixel_values.flatten(1)  # noqa: E731
    other = np.arange(48, dtype=np.float32)[None]
    with pytest.raises(openvino.Disagrees, match=r"cosine to torch is 0\.\d+"):
        openvino.Compiled(tower, [rows], lambda inputs: other, "LATENCY")


def test_short_number_formats_and_whom_it_is_forbidden_are_left_to_torch(checkpoint):
    short = Encoder.load(checkpoint("siglip"), dtype="bfloat16")
    assert short._alone is None and BY_OPENVINO not in short._computed.pace._ways
    os.environ["SIGSCOPE_COMPILE"] = "0"
    assert not openvino.is_wanted()
    plain = Encoder.load(checkpoint("siglip"), dtype="float32")
    assert BY_OPENVINO not in plain._computed.pace._ways
    plain._alone.settle("warm up")
    assert plain._alone._compiled is None
