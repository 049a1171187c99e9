"""The model hub and its cache on this machine, asked in that order and never waited for long.

transformers would wait for ever on a hub that accepts and never answers, and half a minute without
DNS. So a short question is asked first, and a download begins only after a hub has answered it.
"""

import threading
from pathlib import Path

from sigscope import files

ANSWER_S = 3.0  # how long the hub may take to say that it has the model
SMALL_FILES = ("*.json", "*.jinja", "*.model", "vocab.txt", "merges.txt")
WEIGHTS = ("model.safetensors", "model-*.safetensors")
OPENCLIP_WEIGHTS = "open_clip_model.safetensors"  # of models that have no others
IMMICH = ("textual/*.json", "textual/model.onnx*", "visual/*.json", "visual/model.onnx*")
MODULES = "modules.json"  # of sentence-transformers, whose modules lie in folders
CONFIGS = ("config.json", "open_clip_config.json", MODULES)
WAYS_ON = "give the path of a local model folder, or the name of the shipped model, siglit-mini"


class ModelError(RuntimeError):
    """A model that cannot be found, loaded or used; the message is a sentence for a person."""


def settings_in(path: Path) -> dict:
    """Return what a JSON file holds; an absent file holds nothing."""
    if not path.is_file():
        return {}
    try:
        value = files.read_json(path)
    except ValueError as error:
        raise ModelError(str(error)) from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} holds no settings; download it again")
    return value


def cached_snapshot(name: str) -> Path | None:
    """Return the folder in the hub's local cache that has a config of name's model, or None."""
    from huggingface_hub import constants, try_to_load_from_cache

    for config in CONFIGS:
        found = try_to_load_from_cache(name, config, cache_dir=constants.HF_HUB_CACHE)
        if isinstance(found, str):
            return Path(found).parent
    return None


def small_files(name: str) -> Path:
    """Return the folder in the local cache with name's config and tokenizer, without weights.

    Raises:
        ModelError: As ``download``.
    """
    return cached_snapshot(name) or download(name, weights=())


def download(name: str, weights: tuple[str, ...] = WEIGHTS) -> Path:
    """Return the folder in the hub's local cache, after downloading name's files into it.

    Raises:
        ModelError: Within a few seconds if the hub does not answer or has no such model.
    """
    refusal = _ask(name)
    if refusal:
        raise ModelError(f"{name} is not in this machine's model cache, and {refusal}; {WAYS_ON}")
    folder = _fetch(name, *SMALL_FILES, *weights)
    if (folder / MODULES).is_file():
        patterns = [f"[0-9]*_*/{pattern}" for pattern in (*SMALL_FILES, *weights)]
        return _fetch(name, *patterns, within=True)
    if weights and not any(folder.glob("model*.safetensors")):
        _fetch(name, OPENCLIP_WEIGHTS)
        folder = _fetch(name, *IMMICH, within=True)
    return folder


def _fetch(name: str, *patterns: str, within: bool = False) -> Path:
    """Download what has such a name; within whether it lies in folders, which is else left out."""
    from huggingface_hub import constants, snapshot_download

    try:
        folder = snapshot_download(
            name,
            endpoint=constants.ENDPOINT,
            cache_dir=constants.HF_HUB_CACHE,
            allow_patterns=list(patterns),
            ignore_patterns=None if within else "*/*",
        )
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ModelError(f"downloading {name} broke off ({reason}); {WAYS_ON}") from error
    return Path(folder)


def _ask(name: str) -> str:
    """Return why name cannot be downloaded, or nothing when the hub says that it has it.

    A thread asks, since looking up the hub's address has no time limit of its own.
    """
    answers: list[str] = []
    question = threading.Thread(target=lambda: answers.append(_refusal(name)), daemon=True)
    question.start()
    question.join(ANSWER_S)
    return answers[0] if answers else f"the model hub did not answer within {ANSWER_S:g} s"


def _refusal(name: str) -> str:
    from huggingface_hub import constants
    from huggingface_hub.errors import OfflineModeIsEnabled
    from huggingface_hub.utils import build_hf_headers, get_session

    url = f"{constants.ENDPOINT}/api/models/{name}"
    try:
        status = get_session().get(url, headers=build_hf_headers(), timeout=ANSWER_S).status_code
    except OfflineModeIsEnabled:
        return "the hub is switched off by HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE"
    except Exception:
        return "the model hub cannot be reached"
    if status in (401, 403, 404):
        return f"the model hub has no model of that name that is open to you (it answered {status})"
    return "" if status == 200 else f"the model hub answered {status}"
