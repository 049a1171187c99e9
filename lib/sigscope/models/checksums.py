"""Checksums: what the files of a checkpoint must be; a flipped bit only makes wrong vectors.

SHA256SUMS beside the weights is a list as the command sha256sum writes it, and ``sha256sum -c``
checks it too. A file from the model hub is compared with the hub's own hash, which is its name in
the hub's cache.
"""

import hashlib
import re
from functools import lru_cache
from pathlib import Path

from sigscope import files
from sigscope.models.hub import ModelError

SUMS = "SHA256SUMS"
TOKENIZERS = ("tokenizer.json", "spiece.model", "tokenizer.model", "vocab.txt", "vocab.json")
PREPARES = (  # files of a checkpoint that say how texts and pictures are written
    *TOKENIZERS,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "preprocessor_config.json",
    "processor_config.json",
    "preprocess_cfg.json",
    "chat_template.jinja",
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
)
LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
SHA256, GIT_SHA1 = re.compile("[0-9a-f]{64}"), re.compile("[0-9a-f]{40}")  # names of blobs


def record_checksums(folder: Path) -> None:
    """Write the list of what a checkpoint's files are now, in place of an older one."""
    names = {path: path.relative_to(folder).as_posix() for path in _files(folder)}
    lines = [f"{sha256(path)}  {name}\n" for path, name in names.items()]
    with files.atomic_write(folder / SUMS) as part:
        part.write_text("".join(lines), encoding="utf-8", newline="\n")


def check_checksums(folder: Path) -> None:
    """Compare a checkpoint's files with its list, and with the hub's hashes, where there are any.

    Raises:
        ModelError: A file is missing, or is not what it was.
    """
    for name, expected in _listed(folder).items():
        path = folder / name
        if not path.is_file():
            raise ModelError(f"{folder} lacks {name}, which its {SUMS} lists; get the model again")
        if sha256(path) != expected:
            raise ModelError(
                f"{path} is not the file that {SUMS} beside it lists, so it is damaged: get the "
                "model again, or if you changed it yourself, renew the list (sha256sum does, and "
                "sigscope.models.record_checksums)"
            )
    for path in _files(folder):
        if not _is_as_on_the_hub(path):
            raise ModelError(
                f"{path} is not the file that the model hub has, so it is damaged: delete "
                f"{path.resolve()} and run the same again, which downloads it"
            )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, computed once while its size and times stay."""
    state = path.stat()
    return _sha256_of_state(path, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@lru_cache(maxsize=64)
def _sha256_of_state(path: Path, size: int, mtime_ns: int, ctime_ns: int) -> str:
    return files.sha256(path)


def _files(folder: Path) -> list[Path]:
    """Return the files of a checkpoint that vectors depend on, in the order of their names."""
    names = {"config.json", "open_clip_config.json", "model.safetensors.index.json", *PREPARES}
    within = ("[0-9]*_*/*", "textual/*", "visual/*")  # of modules.json, and of Immich
    found = [*folder.iterdir(), *(path for each in within for path in folder.glob(each))]
    weights = (".safetensors", ".onnx")
    return sorted(path for path in found if path.name in names or path.suffix in weights)


def _listed(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file that the list names; nothing where there is no list."""
    path = folder / SUMS
    if not path.is_file():
        return {}
    found = [LINE.fullmatch(line) for line in path.read_text("utf-8", "replace").splitlines()]
    if not found or None in found:
        raise ModelError(f"{path} is no list of checksums; get the model again, or delete it")
    return {line[2]: line[1] for line in found}


def _is_as_on_the_hub(path: Path) -> bool:
    """Return whether a file has the hash by which the hub's cache calls it, if it does."""
    blob = path.resolve()
    if not path.is_symlink() or blob.parent.name != "blobs":
        return True
    if SHA256.fullmatch(blob.name):
        return sha256(path) == blob.name
    if GIT_SHA1.fullmatch(blob.name):  # of small files, as git counts them
        data = blob.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() == blob.name
    return True
