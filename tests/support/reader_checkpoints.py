"""BLIP and BLIP-2 of random weights with their matching heads, in the files of those on the hub."""

import json
from pathlib import Path

import transformers
from checkpoints import HALF, bert_tokenizer, scramble

SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
SMALL |= {"num_attention_heads": 4}
VISION = SMALL | {"image_size": 32, "patch_size": 8}


def blip(folder: Path) -> Path:
    """BLIP as blip-itm-base-coco is saved."""
    size = _tokenizer(folder)
    text = SMALL | {"encoder_hidden_size": 32, "vocab_size": size, "bos_token_id": 2}
    text |= {"eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
    config = transformers.BlipConfig(
        text_config=text, vision_config=VISION, projection_dim=24, image_text_hidden_size=24
    )
    return _save(folder, transformers.BlipForImageTextRetrieval(config), "BlipProcessor")


def blip2(folder: Path) -> Path:
    """BLIP-2 as blip2-itm-vit-g is saved: a Q-Former between picture and words."""
    size = _tokenizer(folder)
    former = SMALL | {"encoder_hidden_size": 32, "vocab_size": size, "cross_attention_frequency": 1}
    config = transformers.Blip2Config(
        vision_config=VISION,
        qformer_config=former | {"use_qformer_text_input": True},
        num_query_tokens=4,
        image_text_hidden_size=16,
    )
    return _save(folder, transformers.Blip2ForImageTextRetrieval(config), "Blip2Processor")


MAKERS = {"blip": blip, "blip-2": blip2}


def _tokenizer(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    bert_tokenizer(folder)
    return len(transformers.BertTokenizer.from_pretrained(folder))


def _save(folder: Path, network: object, processor: str) -> Path:
    scramble(network).save_pretrained(folder)
    rules = {"image_processor_type": "BlipImageProcessor", "size": {"height": 32, "width": 32}}
    rules |= {"image_mean": HALF, "image_std": HALF, "processor_class": processor}
    (folder / "preprocessor_config.json").write_text(json.dumps(rules))
    return folder
