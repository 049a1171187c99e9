"""Folders added while the explorer runs: the server embeds them, whoever asked and left since.

Each is embedded by a process of its own, so that it can be stopped and the explorer goes on. What
was added and what is still being embedded is in the cache: a restart lists the one and takes up the
other where it was.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore, RLock, Thread
from time import monotonic

import streamlit as st

import resources
from sigscope import load_gallery, paths
from sigscope.files import read_json, sha256, slug, write_json
from sigscope.images import SUFFIXES

KEPT = "explorer-galleries.json"  # in the cache: key and source of each gallery, added or under way
EMBEDDER = Path(__file__).parents[1] / "embed_folder.py"
SYSTEM = ("/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/opt", "/proc", "/root", "/run",
          "/sbin", "/sys", "/tmp", "/usr", "/var", "/System", "/Library", "/private", "C:\\",
          "C:\\Windows")  # fmt: skip
MANY = 50_000  # pictures that nobody adds by mistake
COUNTED_S = 3.0
CANCELLED = "embedding it was cancelled; what is done stays searchable"
SHARD = 160  # pictures; what a first shard holds is on the disk by then
AT_ONCE = 2  # folders that are embedded; more wait for their turn
_lock, _turns = RLock(), BoundedSemaphore(AT_ONCE)


@dataclass
class Job:
    """A folder that is being embedded."""

    source: str
    process: subprocess.Popen | None = None  # while it waits for its turn
    done: int = 0
    total: int = 0
    first: tuple[float, int] | None = None  # when the first news came, and how many were done
    is_new: bool = False  # whether its gallery is on the list for its sake alone
    shown_at: int = SHARD  # how many done are worth to be shown next
    said: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        return min(self.done / max(self.total, 1), 1.0)

    def note(self, done: int, total: int) -> bool:
        """Take the news in, and return whether so much is new that it should be shown."""
        self.done, self.total = done, total
        self.first = self.first or (monotonic(), done)
        if is_much := done >= self.shown_at:
            self.shown_at = done + done // 4 + SHARD
        return is_much

    def told(self) -> str:
        """Return how far it is: pictures done, how fast, how long yet."""
        if self.process is None:
            return "waiting for its turn"
        if not self.first:
            return "looking at what is there"
        since, before = self.first
        rate = (self.done - before) / max(monotonic() - since, 1e-3)
        told = f"{self.done:,} of {self.total:,} pictures"
        if rate <= 0:
            return told
        left = (self.total - self.done) / rate
        time = f"{left:.0f} s" if left < 100 else f"{left / 60:.0f} minutes"
        return f"{told} · {rate:.1f} a second · about {time} left"


@st.cache_resource(show_spinner=False)
def jobs() -> dict[str, Job]:
    """What is being embedded, by the key of its gallery."""
    return {}


@st.cache_resource(show_spinner=False)
def failures() -> dict[str, str]:
    """Why what could not be added could not, by its source, until somebody puts it away."""
    return {}


def is_here() -> bool:
    """Return whether this visitor is on the machine itself."""
    proxied = {"x-forwarded-for", "forwarded", "x-real-ip"}
    proxied &= {name.lower() for name in st.context.headers}
    return st.context.ip_address is None and not proxied


def may_add(source: str = "") -> str:
    """Return why this visitor may not add a source, or ""."""
    if is_here():
        return ""
    root = os.environ.get("SIGSCOPE_ADD_BELOW")
    if not root:
        return "Folders can be added on the machine itself only, not from elsewhere."
    below = Path(root).expanduser().resolve()
    if source and not path_of(source).is_relative_to(below):
        return f"From elsewhere, only what lies in {below} can be added."
    return ""


def canonical(source: str) -> str:
    """Return one spelling of a source: ~, links and a last slash make no other gallery of it."""
    name, colon, rest = source.strip().partition(":")
    if colon and len(name) > 1 and not Path(source).expanduser().exists():
        return f"{name.lower()}:{Path(rest).expanduser().resolve()}" if rest.strip() else source
    return str(Path(source.strip()).expanduser().resolve())


def doubts(source: str) -> str:
    """Return why a folder may have been meant otherwise, with a count of its pictures, or ""."""
    path = path_of(source)
    if not path.is_dir():
        return ""
    is_above_home = path == Path.home() or path in Path.home().parents
    is_system = any(path == Path(one) for one in SYSTEM) or path.is_relative_to("/proc")
    count, is_whole = _count(path)
    if not (is_system or is_above_home or count > MANY or not is_whole):
        return ""
    kind = ("a folder of the system" if is_system else
            "a home directory or lies above one" if is_above_home else "large")  # fmt: skip
    counted = f"{count:,} pictures" if is_whole else f"more than {count:,} pictures"
    return f"{path} is {kind}: {counted} lie in it."


def begin(source: str) -> str:
    """Begin to embed a source and return its key; GalleryError when it is no gallery."""
    path = path_of(source)
    if not (path.is_dir() or path.is_file() and path.suffix.lower() in (".zip", ".parquet")):
        load_gallery(source)  # says what is wrong
    key = key_of(source)
    with _lock:
        if key not in resources.sources() and key not in jobs():
            resources.sources()[key] = source
            go_on(key, is_new=True)
    return key


def go_on(key: str, *, is_new: bool = False) -> None:
    """Embed what a gallery of the list lacks, unless that is being done."""
    with _lock:
        if key not in jobs():
            source = resources.sources()[key]
            failures().pop(source, None)
            jobs()[key] = _started(key, source, is_new)
            _keep()


def cancel(key: str) -> None:
    """Stop what is being embedded; what it has done is kept for another time."""
    with _lock:
        job = jobs().pop(key, None)
        if job and job.is_new:
            resources.sources().pop(key, None)
        elif job:
            failures()[job.source] = CANCELLED
        _keep()
    if job and job.process:
        job.process.terminate()


def forget(key: str) -> None:
    """Take a gallery off the list; nothing in its folder is touched."""
    with _lock:
        resources.sources().pop(key, None)
        _keep()
    resources.has_changed(key)  # whoever lists it again finds nothing of what was cached


def galleries() -> dict[str, str]:
    """Return what each gallery that can be chosen is called, by its key."""
    recall()
    named = list(resources.sources())
    return {key: resources.gallery(key).name if key == resources.MAIN else key for key in named}


@st.cache_resource(show_spinner=False)
def recall() -> None:
    """List the galleries of earlier runs that are still there, and go on with the others; once."""
    try:
        kept = read_json(paths.CACHE / KEPT)
        added, under_way = kept["added"], kept["under way"]
    except (OSError, ValueError, KeyError, TypeError):
        return
    with _lock:
        for key, source in (added | under_way).items():
            if path_of(source).exists():
                resources.sources()[key] = source
        for key in under_way.keys() & resources.sources().keys():
            go_on(key, is_new=True)


def key_of(source: str) -> str:
    """Return a gallery's key: its name, and a few digits that tell it from another of that name."""
    name = slug(path_of(source).name or "gallery", "-").strip("-").lower()
    return f"{name}-{sha256(source.encode())[:6]}"


def path_of(source: str) -> Path:
    """Return where a source lies, be it a path or "name:/path"."""
    path = Path(source).expanduser()
    return path if path.exists() else Path(source.partition(":")[2] or source)


def _count(root: Path) -> tuple[int, bool]:
    """Return how many files are called like pictures below root, and whether that is all."""
    until, count = monotonic() + COUNTED_S, 0
    for _, _, files in os.walk(root):
        count += sum(os.path.splitext(name)[1].lower() in SUFFIXES for name in files)
        if monotonic() > until:
            return count, False
    return count, True


def _keep() -> None:
    added = {k: s for k, s in resources.sources().items() if k != resources.MAIN}
    under_way = {key: job.source for key, job in jobs().items() if key in added}
    write_json(paths.CACHE / KEPT, {"added": added, "under way": under_way})


def _started(key: str, source: str, is_new: bool) -> Job:
    job = Job(source, is_new=is_new)
    if _turns.acquire(blocking=False):
        job.process = _embedder(job.source)
    held = jobs(), failures(), resources.sources()  # what the thread cannot ask for itself
    Thread(target=_follow, args=(key, job, *held), daemon=True).start()
    return job


def _follow(key: str, job: Job, jobs: dict, failures: dict, sources: dict) -> None:
    """Embed when it is its turn, and show what is done now and then, and in the end."""
    if job.process is None:
        _turns.acquire()
    try:
        with _lock:
            if jobs.get(key) is not job and job.process is None:
                return  # it was cancelled while it waited
            job.process = job.process or _embedder(job.source)
        _hear(key, job)
        code = job.process.wait()
    finally:
        _turns.release()
    with _lock:
        if jobs.pop(key, None) is not job:
            return  # it was cancelled
        if code:
            failures[job.source] = (job.said or ["it stopped without a word"])[-1]
            if job.is_new:
                sources.pop(key, None)
        _keep()
    resources.has_changed(key)


def _embedder(source: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, str(EMBEDDER), source],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", bufsize=1,
    )  # fmt: skip


def _hear(key: str, job: Job) -> None:
    for line in job.process.stdout:
        try:
            if job.note(*json.loads(line)):
                resources.has_changed(key)
        except (ValueError, TypeError):
            job.said.append(line.strip())
