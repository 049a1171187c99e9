"""What becomes of a picture and of a text, drawn from a model's config."""

import pytest
from transformers import AutoConfig, CLIPConfig, SiglipConfig

from sigscope.figures import towers_drawing
from sigscope.paths import MINI

ENDS = {"bos_token_id": 0, "eos_token_id": 1}


def said(figure):
    return " ".join(note.text.replace("<br>", " ") for note in figure.layout.annotations)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (SiglipConfig(text_config=ENDS), ["196 patches", "attention pooling", "64 tokens"]),
        (CLIPConfig(text_config=ENDS), ["49 patches", "first position", "512 numbers"]),
        (AutoConfig.from_pretrained(MINI), ["260 × 260", "convolutions", "384 numbers"]),
    ],
    ids=["siglip", "clip", "siglit-mini"],
)
def test_the_drawing_says_what_the_config_says(config, words):
    text = said(towers_drawing({"it": config}))
    assert "it: picture" in text and "it: caption" in text
    assert [word for word in words if word not in text] == []


def test_arrows_join_stages_and_do_not_cross_them():
    figure = towers_drawing({"it": CLIPConfig(text_config=ENDS)})
    arrows = [note for note in figure.layout.annotations if note.showarrow]
    assert len(arrows) == 2 * 3
    cells = [(cell.x0, cell.x1, cell.y0, cell.y1) for cell in figure.layout.shapes]
    for arrow in arrows:
        assert arrow.ax < arrow.x
        assert not [
            c for c in cells if c[0] < arrow.x and arrow.ax < c[1] and c[2] < arrow.y < c[3]
        ]
