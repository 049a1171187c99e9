"""Checkpoints: folders with config.json, safetensors, and the files of a tokenizer and processor.

Or in the format of open_clip, which says it all in open_clip_config.json, of Immich (`onnx`), or of
sentence-transformers, whose modules.json lists the folders of its modules.

Everything here reads small files and headers only, so what is wrong with a checkpoint is said in
one sentence before torch is imported.
"""

import hashlib
import os
import re
from importlib import import_module
from pathlib import Path
from textwrap import shorten
from types import ModuleType

from sigscope import paths
from sigscope.models import hub, modules
from sigscope.models.checksums import TOKENIZERS, check_checksums, sha256
from sigscope.models.families import FAMILIES, READERS, family_of
from sigscope.models.hub import ModelError, settings_in

WEIGHTS = "model.safetensors"
WEIGHTS_LIST = "model.safetensors.index.json"
OPENCLIP, OPENCLIP_WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
ONNX = ("textual/model.onnx", "visual/model.onnx")
NOT_PREPROCESSING = ("processor_class", "auto_map", "feature_extractor_type")
SMALL = (
    "This is the small offline model; SIGSCOPE_MODEL=google/siglip-base-patch16-224 is far better "
    "and needs 810 MB once."
)
HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


def named(model: str | Path | None) -> str | Path:
    """Return model, or for None what SIGSCOPE_MODEL names, or the shipped model."""
    if model is None:
        model = os.environ.get("SIGSCOPE_MODEL") or paths.MINI
    return paths.MINI if model == paths.MINI.name and not Path(model).is_dir() else model


def called(model: str | Path | None = None) -> str:
    """Return what the encoder of a model is called, without loading it: a folder's last part."""
    given = named(model)
    folder = Path(given).expanduser()
    return folder.resolve().name if folder.is_dir() else str(given)


def small_model_note(model: str | Path | None = None) -> str:
    """Return what to know of a model before its results are judged: of the shipped one, else ""."""
    return SMALL if named(model) == paths.MINI else ""


def locate(model: str | Path, towers: tuple[str, ...]) -> Path:
    """Return the folder with model's files: the folder given, or the hub's, downloaded if need be.

    Raises:
        ModelError: There is no such folder, or the hub has no such model or cannot be reached.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if folder.exists():
        raise ModelError(
            f"{model} is a file; give the folder that holds config.json and the weights"
        )
    if _looks_like_a_path(model):
        raise ModelError(f"there is no model folder {model}; check the path, or {hub.WAYS_ON}")
    if partner := modules.PICTURES.get(str(model).rpartition("/")[2]):
        locate(partner, towers)
    cached = hub.cached_snapshot(str(model))
    return cached if cached and complete(cached, towers) else hub.download(str(model))


def complete(folder: Path, towers: tuple[str, ...]) -> bool:
    """Return whether nothing is missing from folder for these towers."""
    try:
        check_parts(folder, towers)
    except ModelError:
        return False
    return all(path.exists() for path in folder.iterdir())  # none of its links leads nowhere


def check(folder: Path, towers: tuple[str, ...]) -> str:
    """Return the family of the checkpoint in folder, once each file that towers need is found.

    Raises:
        ModelError: A file is missing, cut short, not what its checksum says, or of a model that
            sigscope does not know.
    """
    family = check_parts(folder, towers)
    check_checksums(folder)
    return family


def check_parts(folder: Path, towers: tuple[str, ...]) -> str:
    """Return the family of the checkpoint in folder, as ``check``, but compare no checksum."""
    family = _family(folder)
    for path in weight_files(folder):
        if path.suffix == ".safetensors":
            _check_weights(path)
    if "image" in towers and picture_rules(folder) is None:
        raise ModelError(
            f"{folder} says nowhere how pictures are prepared; add its preprocessor_config.json"
        )
    if "text" in towers and family not in READERS:
        _check_tokenizer(folder)
    return family


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a checkpoint, in the order of their names."""
    if _is_onnx(folder):
        missing = [name for name in ONNX if not (folder / name).is_file()]
        if missing:
            raise ModelError(f"{folder} lacks {missing[0]}; download the model again")
        return [folder / name for name in ONNX]
    if modules.is_one(folder):
        return [path for part in modules.with_weights(folder) for path in _weights(part)]
    if _is_openclip(folder):
        if not (folder / OPENCLIP_WEIGHTS).is_file():
            raise ModelError(
                f"{folder} has no {OPENCLIP_WEIGHTS}; sigscope reads safetensors only, so "
                "download it again, or save the model as such"
            )
        return [folder / OPENCLIP_WEIGHTS]
    return _weights(folder)


def _weights(folder: Path) -> list[Path]:
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    names = settings_in(folder / WEIGHTS_LIST).get("weight_map", {}).values()
    if not names:
        raise ModelError(
            f"{folder} has no {WEIGHTS}; sigscope reads safetensors only, so save the model as such"
        )
    missing = [name for name in sorted(set(names)) if not (folder / name).is_file()]
    if missing:
        raise ModelError(f"{folder} lacks {', '.join(missing)}; download the model again")
    return [folder / name for name in sorted(set(names))]


def weights_sha256(folder: Path) -> str:
    """Return one SHA-256 for all of a checkpoint's weights, 64 hexadecimal digits."""
    hashes = [(path.name, sha256(path)) for path in weight_files(folder)]
    if len(hashes) == 1:
        return hashes[0][1]
    listing = "".join(f"{name} {digest}\n" for name, digest in hashes)
    return hashlib.sha256(listing.encode()).hexdigest()


def picture_rules(folder: Path) -> dict | None:
    """Return how pictures are prepared, as the checkpoint's own JSON says it, or None.

    Older checkpoints say it in preprocessor_config.json, newer ones inside processor_config.json.
    """
    if _is_openclip(folder):
        settings = openclip_settings(folder)
        vision = settings["model_cfg"].get("vision_cfg", {})
        return settings.get("preprocess_cfg", {}) | {"image_size": vision.get("image_size")}
    if _is_onnx(folder):
        return settings_in(folder / "visual" / "preprocess_cfg.json") or None
    if modules.is_one(folder):
        return _modular_rules(folder)
    return _picture_rules(folder)


def _picture_rules(folder: Path) -> dict | None:
    rules = settings_in(folder / "processor_config.json").get("image_processor")
    rules = rules or settings_in(folder / "preprocessor_config.json")
    kept = {key: value for key, value in rules.items() if key not in NOT_PREPROCESSING}
    if "image_processor_type" in kept:
        kept["image_processor_type"] = re.sub("(Fast|Pil)$", "", kept["image_processor_type"])
    return kept or None


def _is_openclip(folder: Path) -> bool:
    """Return whether a checkpoint is open_clip's: it may hold the same in transformers' format."""
    if not (folder / OPENCLIP).is_file():
        return False
    weights = (folder / WEIGHTS).is_file() or (folder / WEIGHTS_LIST).is_file()
    return not (weights and family_of(settings_in(folder / "config.json").get("model_type")))


def _is_onnx(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ONNX)


def openclip_settings(folder: Path) -> dict:
    """Return what open_clip_config.json says.

    Raises:
        ModelError: It is broken, or describes no model.
    """
    settings = settings_in(folder / OPENCLIP)
    model = settings.get("model_cfg")
    if not isinstance(model, dict) or not {"embed_dim", "vision_cfg", "text_cfg"} <= set(model):
        raise ModelError(f"{folder / OPENCLIP} describes no model of two towers; get it again")
    return settings


def _modular_rules(folder: Path) -> dict | None:
    takes = modules.takes_pictures(folder)
    rules = _picture_rules(modules.listed(takes)[0][1])
    return rules and rules | {"prompt": modules.prompt(takes, *modules.DOCUMENT)}


def has_tokenizer(folder: Path) -> bool:
    """Return whether any file of a tokenizer is in folder."""
    return any((folder / name).is_file() for name in TOKENIZERS)


def extra(module: str, extra: str, needs: str) -> ModuleType:
    """Return a module of an optional package, imported; needs begins the sentence if it is absent.

    Raises:
        ModelError: It is not installed, or does not fit the torch that is.
    """
    try:
        return import_module(module)
    except ImportError as error:
        how = f'install it with pip install -e ".[{extra}]"'
        raise ModelError(f"{needs}, which is not installed here ({error}); {how}") from error
    except RuntimeError as error:
        raise ModelError(
            f"{needs}, which cannot be loaded here ({shorten(str(error), 200)}): install the "
            "torchvision that was built for this torch, from where that came from"
        ) from error


def _looks_like_a_path(model: str | Path) -> bool:
    return isinstance(model, Path) or not HUB_NAME.fullmatch(model)


def _family(folder: Path) -> str:
    if _is_openclip(folder):
        openclip_settings(folder)
        return "openclip"
    if _is_onnx(folder):
        return "onnx"
    if modules.is_one(folder):
        return "sentence-transformers"
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder} has no config.json, so it is not a model folder; check the path"
        )
    model_type = settings_in(folder / "config.json").get("model_type")
    family = family_of(model_type)
    if family is None:
        known = ", ".join(family.model_type for family in FAMILIES.values())
        raise ModelError(f"{folder} holds a model of type {model_type}; sigscope reads {known}")
    return family


def _check_tokenizer(folder: Path) -> None:
    """Refuse a missing tokenizer, or one that pads on the left as none was when it was trained."""
    if not has_tokenizer(folder):
        raise ModelError(f"{folder} has no tokenizer; add one of {', '.join(TOKENIZERS)}")
    if settings_in(folder / "tokenizer_config.json").get("padding_side", "right") != "right":
        raise ModelError(
            f"the tokenizer in {folder} pads on the left, which shifts every text; "
            'write "padding_side": "right" into its tokenizer_config.json'
        )


def _check_weights(path: Path) -> None:
    """Read the header, which says how long the file must be."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as weights:
            weights.keys()
    except (SafetensorError, OSError) as error:
        with path.open("rb") as file:
            pointer = file.read(40).startswith(b"version https://git-lfs")
        what = "only a Git LFS pointer, not the weights" if pointer else "not whole"
        raise ModelError(f"the weights {path} are {what} ({error}); download them again") from error
