"""Folders added while the explorer runs: embedded by a process of their own, then searchable."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import streamlit as st

import resources
from sigscope import load_gallery, paths
from sigscope.files import read_json, sha256, slug, write_json

KEPT = "explorer-galleries.json"  # in the cache: key and source of each gallery added
EMBEDDER = Path(__file__).parents[1] / "embed_folder.py"


@dataclass
class Job:
    """A folder that is being embedded."""

    source: str
    process: subprocess.Popen
    share: float = 0.0
    said: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.process.poll() is not None

    @property
    def failed(self) -> str:
        """Why it came to nothing, or ""."""
        return (self.said or ["it stopped without a word"])[-1] if self.process.returncode else ""

    def listen(self) -> None:
        """Follow what the process says: how far it is, and else words."""
        for line in self.process.stdout:
            try:
                done, total = json.loads(line)
                self.share = done / max(total, 1)
            except (ValueError, TypeError):
                self.said.append(line.strip())


@st.cache_resource(show_spinner=False)
def jobs() -> dict[str, Job]:
    """What is being embedded, by the key of its gallery."""
    return {}


def begin(source: str) -> str:
    """Begin to embed a folder and return its key; GalleryError when it is no gallery."""
    load_gallery(source)
    key = key_of(source)
    if key in resources.sources():
        return key
    if key not in jobs() or jobs()[key].is_over:
        jobs()[key] = _started(source)
    return key


def settle(key: str) -> None:
    """Make a gallery whose job has ended well one of those to choose from."""
    resources.sources()[key] = jobs().pop(key).source
    write_json(paths.CACHE / KEPT, {k: s for k, s in resources.sources().items() if k != "main"})


def galleries() -> dict[str, str]:
    """Return what each gallery that can be chosen is called, by its key."""
    _recall()
    named = resources.sources().items()
    return {key: resources.gallery(key).name if key == resources.MAIN else key for key, _ in named}


@st.cache_resource(show_spinner=False)
def _recall() -> None:
    """Add the galleries of earlier runs that are still there to those to choose from, once."""
    try:
        kept = read_json(paths.CACHE / KEPT)
    except (OSError, ValueError):
        return
    resources.sources().update({k: s for k, s in kept.items() if Path(s).expanduser().exists()})


def key_of(source: str) -> str:
    """Return a gallery's key: its name, and a few digits that tell it from another of that name."""
    name = slug(Path(source).name or "gallery", "-").strip("-").lower()
    return f"{name}-{sha256(source.encode())[:6]}"


def _started(source: str) -> Job:
    process = subprocess.Popen(
        [sys.executable, str(EMBEDDER), source],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", bufsize=1,
    )  # fmt: skip
    job = Job(source, process)
    Thread(target=job.listen, daemon=True).start()
    return job
