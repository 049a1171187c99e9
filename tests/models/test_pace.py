"""A tower finds its fastest way while it works, and a compiled one must be right and faster."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from sigscope.models import pace
from sigscope.models.encoder import Encoder
from sigscope.models.pace import FULL, Pace

ROWS = {"pixel_values": torch.arange(FULL * 3.0).reshape(FULL, 3)}
WAYS = len(pace.TOGETHER) + len(pace.ABREAST)


@pytest.fixture
def work(monkeypatch):
    """A tower that answers with its pixels, the clock that it moves, and what it was given."""

    class Work:
        now, sizes, tower = 0.0, (), staticmethod(lambda pixel_values: pixel_values)

        def features(self, batch):
            rows = batch["pixel_values"].numpy()
            self.sizes += (len(rows),)
            self.now += 1.0 if len(rows) == 16 else 5.0
            return rows

    work = Work()
    monkeypatch.delenv("SIGSCOPE_COMPILE")
    monkeypatch.setattr(pace.openvino, "is_wanted", lambda: False)
    monkeypatch.setattr(pace, "perf_counter", lambda: work.now)
    monkeypatch.setattr(pace.shutil, "which", lambda name: None)  # no compiler
    monkeypatch.setattr(pace.shortcuts, "abreast", lambda: ThreadPoolExecutor(1))
    return work


def test_every_way_keeps_the_order_and_the_fastest_stays(work):
    ours = Pace(work.features, work.tower)
    for _ in range(pace.ROUNDS * WAYS + 3):
        np.testing.assert_array_equal(ours(ROWS), ROWS["pixel_values"].numpy())
    assert work.sizes[-6:] == (16,) * 6
    assert {32, 16, 8, 4} == set(work.sizes)


def test_a_query_and_the_end_of_a_gallery_are_encoded_at_once(work):
    few = {"pixel_values": ROWS["pixel_values"][:3]}
    assert len(Pace(work.features, work.tower)(few)) == 3
    assert work.sizes == (3,)


def test_nothing_is_compiled_before_it_may_pay_or_where_it_is_forbidden(work, monkeypatch):
    begun = []
    monkeypatch.setattr(Pace, "_compile", lambda self, part: begun.append(len(part)))
    monkeypatch.setattr(pace.shutil, "which", lambda name: name)
    ours = Pace(work.features, work.tower)
    while ours._untried or work.now <= pace.LONG_S:
        assert not begun
        ours(ROWS)
    ours(ROWS)
    ours._thread.join()
    assert begun == [16]
    monkeypatch.setenv("SIGSCOPE_COMPILE", "0")
    Pace(work.features, work.tower).settle(ROWS)
    assert begun == [16]


@pytest.mark.parametrize("fault", ["raises", "is wrong", "has no numbers", "is slower"])
def test_what_was_compiled_is_not_taken_if_it(fault, work, monkeypatch):
    def compiled(pixel_values):
        pixels = pixel_values
        work.now += {"is slower": 2.0}.get(fault, 0.1)
        if fault == "raises":
            raise RuntimeError("no kernel")
        return {"is wrong": -pixels, "has no numbers": pixels * np.nan}.get(fault, pixels)

    monkeypatch.setattr(pace.shutil, "which", lambda name: name)
    monkeypatch.setattr(torch, "compile", lambda tower, **_: compiled)
    ours = Pace(work.features, work.tower)
    ours.settle({"pixel_values": ROWS["pixel_values"] + 1})
    assert ours._compiled is None
    fault = "nothing"
    again = Pace(work.features, work.tower)
    again.settle({"pixel_values": ROWS["pixel_values"] + 1})
    assert again._compiled is not None


@pytest.mark.parametrize("convolves", [True, False])
@pytest.mark.parametrize("fits", [True, False])
def test_openvino_is_one_way_of_several_and_none_where_it_does_not_fit(
    fits, convolves, work, monkeypatch
):
    def compiled(tower, examples, exact, hint):
        if not fits:
            raise RuntimeError("no such layer")
        return lambda inputs: inputs["pixel_values"].numpy()

    monkeypatch.setattr(pace.openvino, "is_wanted", lambda: True)
    monkeypatch.setattr(pace.openvino, "Compiled", compiled)
    ours = Pace(work.features, work.tower, convolves, by_openvino=True)
    for _ in range(pace.ROUNDS * (WAYS + 1) + 1):
        np.testing.assert_array_equal(ours(ROWS), ROWS["pixel_values"].numpy())
    assert (ours._fastest(ours._seconds) == pace.BY_OPENVINO) == fits
    assert (pace.BY_OPENVINO in ours._ways) == fits


def test_a_tower_of_convolutions_takes_few_at_once_on_each_core(work):
    some = {"pixel_values": ROWS["pixel_values"][:7]}
    assert len(Pace(work.features, work.tower, convolves=True)(some)) == 7
    assert sorted(work.sizes) == [1, 2, 2, 2]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="no C++ compiler is here")
def test_a_compiled_tower_gives_the_same_vectors(checkpoint, monkeypatch):
    monkeypatch.delenv("SIGSCOPE_COMPILE")
    monkeypatch.setattr(pace, "FASTER", 0.0)
    encoder = Encoder.load(checkpoint("siglip"), dtype="float32")
    rng = np.random.default_rng(0)
    drawn = [
        Image.fromarray(rng.integers(256, size=(40, 40, 3), dtype=np.uint8)) for _ in range(FULL)
    ]
    batch = encoder.preprocess(drawn)
    plain = encoder.encode_batch(batch)
    encoder._computed.pace.settle(batch)
    assert encoder._computed.pace._compiled
    compiled = encoder.encode_batch(batch)
    assert np.abs(compiled - plain).max() < 1e-5
