"""The format of sentence-transformers: modules.json lists the folders that a model is made of.

Everything here reads small files only.
"""

from pathlib import Path

from sigscope import files
from sigscope.models import hub
from sigscope.models.families import family_of
from sigscope.models.hub import MODULES, ModelError, settings_in

PICTURES = {"clip-ViT-B-32-multilingual-v1": "sentence-transformers/clip-ViT-B-32"}
DOCUMENT = ("document", "passage", "corpus")  # what a prompt for them may be called, first first
WEIGHTLESS = ("Pooling", "Normalize", "LogitScore")


def listed(folder: Path) -> list[tuple[str, Path]]:
    """Return the modules of a model of sentence-transformers: the class of each, and its folder.

    Raises:
        ModelError: modules.json is broken, or lists code that is not sentence-transformers' own.
    """
    try:
        told = files.read_json(folder / MODULES)
        found = [(one["type"], folder / one["path"]) for one in told]
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{folder / MODULES} lists no modules ({error}); get it again") from error
    strange = [name for name, _ in found if not name.startswith("sentence_transformers.")]
    if strange or not found:
        what = f"{strange[0]}, code of its own that is never run" if strange else "nothing"
        raise ModelError(f"{folder / MODULES} lists {what}; choose another model")
    return [(name.rpartition(".")[2], path) for name, path in found]


def takes_pictures(folder: Path) -> Path:
    """Return the folder of the model that takes the pictures: another one where folder's cannot.

    Raises:
        ModelError: It is not beside it, and not in the cache.
    """
    where = "/".join(folder.parts[-3:])  # the cache's folders are called by hashes within names
    name = next((other for own, other in PICTURES.items() if own in where), "")
    if not name:
        return folder
    beside = folder.parent / name.rpartition("/")[2]
    found = beside if beside.is_dir() else hub.cached_snapshot(name)
    if found is None:
        raise ModelError(f"{folder} only takes texts; put the folder of {name} beside it")
    return found


def is_one(folder: Path) -> bool:
    """Return whether sentence-transformers has to read it, as transformers alone would not do."""
    if not (folder / MODULES).is_file():
        return False
    more = {name for name, _ in listed(folder)} - {"Transformer", "Normalize"}
    return bool(more) or family_of(settings_in(folder / "config.json").get("model_type")) is None


def with_weights(folder: Path) -> list[Path]:
    """Return the folders of the modules that have weights, those of the other model among them."""
    both = dict.fromkeys([folder, takes_pictures(folder)])
    found = [one for each in both for one in listed(each)]
    return [path for name, path in found if name not in WEIGHTLESS]


def prompt(folder: Path, *names: str) -> str:
    """Return the first of a model's prompts of these names, or the one that it has for all."""
    settings = settings_in(folder / "config_sentence_transformers.json")
    prompts = settings.get("prompts") or {}
    names = (*names, settings.get("default_prompt_name"))
    return next((prompts[name] for name in names if name in prompts), "")
