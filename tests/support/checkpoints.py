"""Small checkpoints of random weights, in just the files that a model on the hub has.

``MAKERS[name](folder)`` writes one and returns its folder. The weights are drawn wide enough
that a wrong token, pad or pixel changes the vectors visibly.
"""

import json
import shutil
from pathlib import Path

import sentencepiece
import torch
import transformers
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

SENTENCES = (
    "a photo of a cat and two dogs on a red sofa",
    "the old map shows ships, mountains, rivers and the sea",
    "a drawing of a bicycle in front of a green house",
    "children play football in the park under a blue sky",
    "this is a stop sign beside the road, seen at night",
    "quick brown foxes jump over very lazy dogs while judges watch",
)
SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
HALF = [0.5, 0.5, 0.5]


def siglip(folder: Path, shape: dict = SMALL, side: int = 32, patch: int = 8) -> Path:
    """SigLIP: a SentencePiece tokenizer, preprocessor_config.json, fixed resolution."""
    text = {"model_type": "siglip_text_model", "vocab_size": 150, **shape}
    vision = {"model_type": "siglip_vision_model", "image_size": side, "patch_size": patch, **shape}
    config = transformers.SiglipConfig(text_config=text, vision_config=vision)
    _save(folder, transformers.SiglipModel(config))
    sentencepiece_tokenizer(folder)
    size = {"height": side, "width": side}
    return _add(folder, preprocessor_config=_pictures("Siglip", size=size))


def siglip2_fixed(folder: Path) -> Path:
    """SigLIP 2 of fixed resolution: it calls itself siglip, but has Gemma's tokenizer."""
    text = {"model_type": "siglip_text_model", "vocab_size": 400, **SMALL}
    _save(folder, transformers.SiglipModel(_siglip_config(text)))
    gemma_tokenizer(folder)
    return _add(folder, preprocessor_config=_pictures("Siglip", size={"height": 32, "width": 32}))


def siglip2(folder: Path) -> Path:
    """SigLIP 2 NaFlex: pictures keep their shape, as up to 64 patches."""
    config = transformers.Siglip2Config(
        text_config={"vocab_size": 400, **SMALL},
        vision_config={"num_patches": 64, "patch_size": 8, **SMALL},
    )
    _save(folder, transformers.Siglip2Model(config))
    gemma_tokenizer(folder)
    return _add(folder, preprocessor_config=_pictures("Siglip2", patch_size=8, max_num_patches=64))


def clip(folder: Path) -> Path:
    """CLIP: byte-level BPE, shortest edge and centre crop, a projection after each tower."""
    config = transformers.CLIPConfig(
        text_config={"vocab_size": 600, "bos_token_id": 0, "eos_token_id": 1, **SMALL},
        vision_config={"image_size": 32, "patch_size": 8, **SMALL},
        projection_dim=24,
    )
    _save(folder, transformers.CLIPModel(config))
    clip_tokenizer(folder)
    return _add(folder, preprocessor_config=_clip_pictures())


def dual(folder: Path) -> Path:
    """A dual encoder of ViT and BERT, as save_pretrained writes it: processor_config.json."""
    vision = transformers.ViTConfig(image_size=32, patch_size=8, **SMALL)
    text = transformers.BertConfig(vocab_size=300, max_position_embeddings=80, **SMALL)
    _save(folder, _dual(vision, text))
    bert_tokenizer(folder)
    rules = _pictures("ViT", size={"height": 32, "width": 32})
    kind = {"processor_class": "VisionTextDualEncoderProcessor"}
    return _add(folder, processor_config=kind | {"image_processor": rules})


def convolutional(folder: Path) -> Path:
    """A dual encoder whose image tower is convolutional: EfficientNet, like siglit-mini's."""
    vision = transformers.EfficientNetConfig(
        image_size=32, width_coefficient=0.1, depth_coefficient=0.1, hidden_dim=128, hidden_size=128
    )
    text = transformers.BertConfig(vocab_size=300, max_position_embeddings=80, **SMALL)
    _save(folder, _dual(vision, text))
    bert_tokenizer(folder)
    rules = _pictures("EfficientNet", size={"height": 32, "width": 32}, include_top=False)
    return _add(folder, processor_config={"image_processor": rules})


def metaclip2(folder: Path) -> Path:
    """MetaCLIP 2: CLIP with XLM-R's tokenizer, which keeps capitals, and its numbers of tokens."""
    config = transformers.MetaClip2Config(
        text_config={"vocab_size": 600, "pad_token_id": 1, "eos_token_id": 2, **SMALL},
        vision_config={"image_size": 32, "patch_size": 8, **SMALL},
        projection_dim=24,
    )
    _save(folder, transformers.MetaClip2Model(config))
    xlm_tokenizer(folder)
    return _add(folder, preprocessor_config=_clip_pictures())


def align(folder: Path) -> Path:
    """ALIGN: EfficientNet, whose pooled map is the answer, and BERT."""
    config = transformers.AlignConfig(
        text_config={"vocab_size": 300, "max_position_embeddings": 80, **SMALL},
        vision_config={"image_size": 32, "width_coefficient": 0.1, "depth_coefficient": 0.1}
        | {"hidden_dim": 32},
        projection_dim=32,
    )
    _save(folder, transformers.AlignModel(config))
    bert_tokenizer(folder)
    rules = _pictures("EfficientNet", size={"height": 36, "width": 36}, do_center_crop=True)
    rules |= {"crop_size": {"height": 32, "width": 32}, "rescale_offset": True}
    return _add(folder, preprocessor_config=rules | {"include_top": False, "resample": 2})


def altclip(folder: Path) -> Path:
    """AltCLIP: XLM-R, projected twice, beside CLIP's image tower."""
    text = {"vocab_size": 600, "max_position_embeddings": 82, "project_dim": 40, **SMALL}
    vision = {"image_size": 32, "patch_size": 8, **SMALL}
    config = transformers.AltCLIPConfig(text_config=text, vision_config=vision, projection_dim=24)
    _save(folder, transformers.AltCLIPModel(config))
    xlm_tokenizer(folder)
    return _add(folder, preprocessor_config=_clip_pictures())


def chinese_clip(folder: Path) -> Path:
    """Chinese-CLIP: BERT's first token beside CLIP's image tower, its pictures squeezed."""
    config = transformers.ChineseCLIPConfig(
        text_config={"vocab_size": 300, "max_position_embeddings": 80, **SMALL},
        vision_config={"image_size": 32, "patch_size": 8, **SMALL},
        projection_dim=24,
    )
    _save(folder, transformers.ChineseCLIPModel(config))
    bert_tokenizer(folder)
    rules = _pictures("ChineseCLIP", size={"height": 32, "width": 32}, do_center_crop=False)
    return _add(folder, preprocessor_config=rules)


MAKERS = {
    "siglip": siglip,
    "siglip2-fixed": siglip2_fixed,
    "siglip2": siglip2,
    "clip": clip,
    "dual": dual,
    "convolutional": convolutional,
    "metaclip2": metaclip2,
    "align": align,
    "altclip": altclip,
    "chinese-clip": chinese_clip,
}


def sentencepiece_tokenizer(folder: Path) -> None:
    """T5's conventions, which are SigLIP's: <pad> 0, </s> 1, <unk> 2; the padding is </s>."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 3),
        model_prefix=str(folder / "spiece"),
        vocab_size=150,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    (folder / "spiece.vocab").unlink()
    special = {"eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"}
    rules = {"tokenizer_class": "SiglipTokenizer", "model_input_names": ["input_ids"]}
    rules |= {"model_max_length": 64, "do_lower_case": True, "processor_class": "SiglipProcessor"}
    _add(folder, tokenizer_config=special | rules, special_tokens_map=special)


def gemma_tokenizer(folder: Path) -> None:
    """BPE with byte fallback that keeps capitals, ends with <eos>, and pads on the right."""
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{n:02X}>" for n in range(256))]
    bpe = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    bpe.normalizer = normalizers.Replace(" ", "▁")
    bpe.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    bpe.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    capitals = [sentence.upper() for sentence in SENTENCES]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=tokens, show_progress=False)
    bpe.train_from_iterator([*SENTENCES, *capitals], trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single="$A <eos>", pair="$A <eos> $B <eos>", special_tokens=[("<eos>", 1)]
    )
    bpe.save(str(folder / "tokenizer.json"))
    special = {name: f"<{name[:3]}>" for name in ("pad_token", "eos_token", "bos_token")}
    special |= {"unk_token": "<unk>", "mask_token": "<mask>"}
    rules = {"tokenizer_class": "GemmaTokenizer", "model_input_names": ["input_ids"]}
    rules |= {"padding_side": "right", "add_bos_token": False, "add_eos_token": True}
    _add(folder, tokenizer_config=special | rules, special_tokens_map=special)


def clip_tokenizer(folder: Path) -> None:
    """Byte-level BPE with </w> at the end of a word, in the three files that CLIP has."""
    start, end = "<|startoftext|>", "<|endoftext|>"
    bpe = Tokenizer(models.BPE(unk_token=end, end_of_word_suffix="</w>"))
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.train_from_iterator(
        SENTENCES,
        trainers.BpeTrainer(
            vocab_size=600,
            special_tokens=[start, end],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            end_of_word_suffix="</w>",
            show_progress=False,
        ),
    )
    bpe.model.save(str(folder))
    special = {"bos_token": start, "eos_token": end, "unk_token": end, "pad_token": end}
    rules = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True}
    _add(folder, tokenizer_config=special | rules, special_tokens_map=special)
    transformers.CLIPTokenizer.from_pretrained(folder).backend_tokenizer.save(
        str(folder / "tokenizer.json")
    )


def xlm_tokenizer(folder: Path) -> None:
    """XLM-R's Unigram: <s> 0, <pad> 1, </s> 2, <unk> 3; it keeps capitals."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    unigram = Tokenizer(models.Unigram())
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    unigram.decoder = decoders.Metaspace()
    capitals = [sentence.upper() for sentence in SENTENCES]
    trainer = trainers.UnigramTrainer(
        vocab_size=400, special_tokens=[*special, "<mask>"], unk_token="<unk>", show_progress=False
    )
    unigram.train_from_iterator([*SENTENCES, *capitals], trainer)
    unigram.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    unigram.save(str(folder / "tokenizer.json"))
    names = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    names |= {"cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}
    _add(folder, tokenizer_config=names | {"tokenizer_class": "XLMRobertaTokenizer"})


def bert_tokenizer(folder: Path) -> None:
    """WordPiece in vocab.txt and tokenizer.json, like MiniLM's."""
    words = sorted({word.strip(",") for sentence in SENTENCES for word in sentence.split()})
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", "."]
    vocabulary += [*letters, *(f"##{letter}" for letter in letters), *words]
    vocabulary = list(dict.fromkeys(vocabulary))
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    tokenizer = transformers.BertTokenizer(vocab=str(folder / "vocab.txt"), do_lower_case=True)
    tokenizer.save_pretrained(folder)


def scramble(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Draw each weight anew, wide enough that every part of the network matters."""
    generator = torch.Generator().manual_seed(seed)
    for name, weight in network.named_parameters():
        noise = torch.randn(weight.shape, generator=generator)
        fan_in = weight[0].numel() if weight.dim() > 1 else 1
        wide = 1.0 if "embed" in name else (2 if weight.dim() == 4 else 1) * fan_in**-0.5
        is_scale = weight.dim() == 1 and name.endswith("weight")
        weight.data = (
            1 + 0.1 * noise if is_scale else wide * noise * (1 if weight.dim() > 1 else 0.1)
        )
    return network


def _siglip_config(text: dict) -> transformers.SiglipConfig:
    vision = {"model_type": "siglip_vision_model", "image_size": 32, "patch_size": 8, **SMALL}
    return transformers.SiglipConfig(text_config=text, vision_config=vision)


def _dual(vision: object, text: object) -> transformers.VisionTextDualEncoderModel:
    config = transformers.VisionTextDualEncoderConfig.from_vision_text_configs(
        vision, text, projection_dim=24
    )
    return transformers.VisionTextDualEncoderModel(config)


def _pictures(kind: str, **rules: object) -> dict:
    common = {"do_resize": True, "do_rescale": True, "do_normalize": True, "resample": 3}
    common |= {"rescale_factor": 1 / 255, "image_mean": HALF, "image_std": HALF}
    return common | {"image_processor_type": f"{kind}ImageProcessor"} | rules


def _clip_pictures() -> dict:
    rules = _pictures("CLIP", size={"shortest_edge": 32}, do_center_crop=True)
    return rules | {"crop_size": {"height": 32, "width": 32}}


def _save(folder: Path, network: torch.nn.Module) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    scramble(network).save_pretrained(folder)


def _add(folder: Path, **files: dict) -> Path:
    for name, settings in files.items():
        (folder / f"{name}.json").write_text(json.dumps(settings, indent=2))
    return folder
