"""A text by itself is answered by what is quickest, and by torch where nothing else may."""

import numpy as np
import pytest

from sigscope.models import alone, openvino
from sigscope.models.alone import SEVERAL, Alone


class Bert:
    def features(self, text):
        return np.full(3, len(text), np.float32)


@pytest.fixture
def compiled(monkeypatch):
    """What was compiled; each answers with the length of a text, below 0."""
    made = []

    def compile_(tower, examples, exact, hint):
        made.append((tower, list(examples), exact, hint))
        return lambda tokens: -np.full((1, 3), len(tokens), np.float32)

    monkeypatch.setattr(openvino, "is_wanted", lambda: True)
    monkeypatch.setattr(openvino, "Compiled", compile_)
    return made


def test_without_openvino_a_bert_answers_and_else_torch_does(monkeypatch):
    monkeypatch.setattr(openvino, "is_wanted", lambda: False)
    ours, torchs = Alone(None, str, None, Bert()), Alone(None, str, None, None)
    for one in (ours, torchs):
        one.settle("a cat")
    assert list(ours("a cat")) == [5, 5, 5] and torchs("a cat") is None


def test_openvino_compiles_once_several_texts_were_asked(compiled):
    ours = Alone("tower", str, "exact", Bert())
    for _ in range(SEVERAL - 1):
        assert ours("a cat")[0] == 5
    assert not compiled
    ours.settle("a cat")
    assert [ours("a cat")[0] for _ in range(3)] == [-5, -5, -5]
    assert compiled == [("tower", list(alone.TEXTS), "exact", "LATENCY")]


def test_what_cannot_be_compiled_is_answered_as_before(compiled, monkeypatch):
    def disagree(*_):
        raise openvino.Disagrees("its cosine is 0.5")

    monkeypatch.setattr(openvino, "Compiled", disagree)
    ours = Alone("tower", str, "exact", Bert())
    ours.settle("a cat")
    assert [ours("a cat")[0] for _ in range(3)] == [5, 5, 5]
