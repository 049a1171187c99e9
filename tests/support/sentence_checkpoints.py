"""Small checkpoints of random weights, saved by sentence-transformers as those on the hub are.

``MAKERS[name](folder)`` writes one and returns its folder.
"""

import json
import shutil
from pathlib import Path

import checkpoints
import torch
import transformers
from checkpoints import SMALL, scramble
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.cross_encoder.modules import LogitScore
from sentence_transformers.sentence_transformer.modules import Pooling

QUERY = "Retrieve images or text relevant to the user's query."
PROMPTS = {"query": QUERY, "document": "Represent the user's input."}
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif part.type == 'text' %}{{ part.text }}"
    "{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PLAIN = (  # EmbeddingGemma's: only what is said
    "{% for message in messages %}{% if message.content is string %}{{ message.content }}{% else %}"
    "{% for part in message.content %}{% if part.type == 'image' %}{{ '<image>' }}"
    "{% elif part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}{% endif %}{% endfor %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>")
SPECIAL += ("<|image_pad|>", "<|video_pad|>")


def clip(folder: Path) -> Path:
    """sentence-transformers/clip-ViT-B-32: all in 0_CLIPModel, by its name of before version 5."""
    checkpoints.clip(folder / "0_CLIPModel")
    return _listed(folder, {"0_CLIPModel": "CLIPModel"})


def multilingual(folder: Path) -> Path:
    """Its multilingual text tower, which takes no pictures: DistilBERT, mean, 24 numbers of it."""
    clip(folder.parent / "clip-ViT-B-32")
    network = transformers.DistilBertModel(
        transformers.DistilBertConfig(
            vocab_size=300, dim=32, hidden_dim=48, n_layers=2, n_heads=4, max_position_embeddings=80
        )
    )
    scramble(network).save_pretrained(folder)
    checkpoints.bert_tokenizer(folder)
    Pooling(32, "mean").save(_made(folder / "1_Pooling"))
    dense = Dense(32, 24, bias=False, activation_function=torch.nn.Identity())
    scramble(dense).save(_made(folder / "2_Dense"))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 64}')
    return _listed(folder, {"": "Transformer", "1_Pooling": "Pooling", "2_Dense": "Dense"})


def qwen(folder: Path) -> Path:
    """Qwen3-VL-Embedding: a chat, an instruction, the last token; texts and pictures together."""
    qwen_network(folder.with_name("qwen-draft"), "Qwen3VLModel")
    transformer = Transformer(str(folder.with_name("qwen-draft")))
    modules = [transformer, Pooling(32, "lasttoken"), Normalize()]
    SentenceTransformer(modules=modules, prompts=PROMPTS, device="cpu").save(str(folder))
    return folder


def gemma(folder: Path) -> Path:
    """EmbeddingGemma 2 without its ears: all positions count, the mean of them is the answer."""
    draft = folder.with_name("gemma-draft")
    draft.mkdir(parents=True)
    checkpoints.gemma_tokenizer(draft)
    tokens = {
        f"{name}_token": f"<{name}>" for name in ("boi", "eoi", "image", "boa", "eoa", "audio")
    }
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        draft, extra_special_tokens=tokens, model_input_names=["input_ids", "attention_mask"]
    )
    tokenizer.add_special_tokens({"additional_special_tokens": list(tokens.values())})
    ids = {f"{name}_id": tokenizer.convert_tokens_to_ids(text) for name, text in tokens.items()}
    shape = SMALL | {"head_dim": 8, "num_key_value_heads": 2}
    text = shape | {"vocab_size": 420, "hidden_size_per_layer_input": 16, "embedding_dim": 48}
    config = transformers.EmbeddingGemma2Config(
        text_config=text | {"global_head_dim": 16},
        vision_config={"model_type": "gemma4_vision", "patch_size": 8, "pooling_kernel_size": 2}
        | shape,
        video_token_id=410,
        **{name: ids[name] for name in ("boi_token_id", "eoi_token_id", "image_token_id")},
    )
    scramble(transformers.EmbeddingGemma2Model(config)).save_pretrained(draft)
    rules = {"patch_size": 8, "pooling_kernel_size": 2, "max_soft_tokens": 70}
    transformers.EmbeddingGemma2Processor(
        feature_extractor=transformers.Gemma4AudioFeatureExtractor(),
        image_processor=transformers.Gemma4ImageProcessor(**rules),
        video_processor=transformers.EmbeddingGemma2VideoProcessor(**rules),
        tokenizer=tokenizer,
        chat_template=PLAIN,
    ).save_pretrained(draft)
    prompts = {"query": "task: search result | query: ", "document": "title: none | text: "}
    modules = [Transformer(str(draft)), Pooling(48, "mean"), Normalize()]
    SentenceTransformer(modules=modules, prompts=prompts, device="cpu").save(str(folder))
    return folder


def reranker(folder: Path) -> Path:
    """Qwen3-VL-Reranker: a chat of a query and a picture; how much likelier "yes" is than "no"."""
    draft = folder.with_name("reranker-draft")
    qwen_network(draft, "Qwen3VLForConditionalGeneration")
    asks = {"chat_template": {"add_generation_prompt": True}}
    transformer = Transformer(str(draft), transformer_task="any-to-any", processing_kwargs=asks)
    score = LogitScore(true_token_id=20, false_token_id=21)
    CrossEncoder(modules=[transformer, score], device="cpu").save(str(folder))
    return folder


MAKERS = {"gemma": gemma, "clip": clip, "clip-ViT-B-32-multilingual-v1": multilingual, "qwen": qwen}


def qwen_network(folder: Path, network: str) -> Path:
    """Qwen3-VL in the hub's format, with its tokenizer and processors."""
    tokenizer = _qwen_tokenizer()
    ids = dict(zip(SPECIAL, tokenizer.convert_tokens_to_ids(list(SPECIAL)), strict=True))
    rope = {"rope_type": "default", "mrope_section": [2, 1, 1], "mrope_interleaved": True}
    text = {"vocab_size": len(tokenizer), "head_dim": 8, "num_key_value_heads": 2, **SMALL}
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 48, "num_heads": 4}
    vision |= {"out_hidden_size": 32, "patch_size": 8, "num_position_embeddings": 64}
    config = transformers.Qwen3VLConfig(
        text_config=text | {"rope_parameters": rope | {"rope_theta": 10000.0}},
        vision_config=vision | {"deepstack_visual_indexes": [0]},
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    scramble(getattr(transformers, network)(config)).save_pretrained(folder)
    rules = {"patch_size": 8, "merge_size": 2, "temporal_patch_size": 2}
    rules["size"] = {"shortest_edge": 32 * 32, "longest_edge": 64 * 64}
    transformers.Qwen3VLProcessor(
        image_processor=transformers.Qwen2VLImageProcessor(**rules),
        tokenizer=tokenizer,
        video_processor=transformers.Qwen3VLVideoProcessor(**rules),
        chat_template=CHAT,
    ).save_pretrained(folder)
    return folder


def _qwen_tokenizer() -> transformers.Qwen2Tokenizer:
    letters = sorted(checkpoints.pre_tokenizers.ByteLevel.alphabet())
    vocab = {letter: number for number, letter in enumerate(letters)}
    tokenizer = transformers.Qwen2Tokenizer(
        vocab=vocab, merges=[], unk_token=None, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    return tokenizer


def _listed(folder: Path, modules: dict[str, str]) -> Path:
    listed = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{name}"}
        for n, (path, name) in enumerate(modules.items())
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    versions = {"sentence_transformers": "2.0.0", "transformers": "4.7.0", "pytorch": "1.9.0"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"__version__": versions}))
    return folder


def _made(folder: Path) -> str:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return str(folder)
