"""What the machine does to a run says nothing about pictures, and nothing of it is kept."""

import builtins
import errno
import json
import os
import subprocess
import sys
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile
from toy import ToyEncoder, write_gallery

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.images import MachineTrouble, PictureError, open_picture
from sigscope.images.captions import embedded_captions

N = 30
SOURCES = [str(paths.ROOT / "lib"), str(Path(__file__).parents[1] / "support")]
TROUBLES = {
    "too many open files": OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    "a disk that does not answer": OSError(errno.EIO, os.strerror(errno.EIO)),
    "a share that is gone": OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN)),
    "no memory": MemoryError(),
}
every_trouble = pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES.keys())


@pytest.fixture(autouse=True)
def homes(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


@pytest.fixture
def folder(tmp_path):
    return write_gallery(tmp_path / "gallery", N)


def embedded(folder, store, encoder=None):
    sizes = {"batch_size": 4, "shard_size": 8}
    return embed_gallery(load_gallery(folder), encoder or ToyEncoder(), store, **sizes)


def every(step, raised, then):
    """Return a function that raises every so many calls, and else does what it should."""
    calls = iter(range(10**9))

    def called(*args, **kwargs):
        if next(calls) % step == step - 1:
            raise raised
        return then(*args, **kwargs)

    return called


WHERE = {
    "opening": (os, "open"),
    "recognising": (Image, "open"),
    "decoding": (ImageFile.ImageFile, "load"),
    "turning": (Image.Image, "getexif"),
    "hashing": (builtins, "open"),
}


@every_trouble
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("step", [1, 7, 20])
def test_it_stops_the_run_and_the_next_has_every_picture(
    folder, tmp_path, monkeypatch, trouble, where, step
):
    gallery, (place, name) = load_gallery(folder), WHERE[where]
    with monkeypatch.context() as broken:
        broken.setattr(place, name, every(step, trouble, getattr(place, name)))
        with pytest.raises((MachineTrouble, OSError, MemoryError)):
            embed_gallery(gallery, ToyEncoder(), tmp_path / "store", batch_size=4, shard_size=8)
    found = embedded(folder, tmp_path / "store")
    assert len(found) == N and found.failed.empty
    assert np.allclose(found.images, embedded(folder, tmp_path / "fresh").images)


class Starved(ToyEncoder):
    """Runs out of memory on blue pictures, as torch says it."""

    def encode_batch(self, batch):
        if (batch.argmax(axis=1) == 2).any():
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator")
        return super().encode_batch(batch)


def test_a_model_without_memory_blames_no_picture(folder, tmp_path):
    with pytest.raises(MachineTrouble, match="by no fault of its own"):
        embedded(folder, tmp_path / "store", Starved())
    assert len(embedded(folder, tmp_path / "store")) == N


@every_trouble
def test_a_listing_loses_no_picture_and_no_caption(folder, monkeypatch, trouble):
    (folder / "metadata.jsonl").unlink()
    with monkeypatch.context() as broken:
        broken.setattr(builtins, "open", every(9, trouble, open))
        broken.setattr(os, "scandir", every(2, trouble, os.scandir))
        with pytest.raises((MachineTrouble, OSError, MemoryError)):
            for _ in range(9):
                load_gallery(folder)
    gallery = load_gallery(folder)
    assert len(gallery) == N and gallery.problems.empty


@every_trouble
def test_a_caption_inside_a_picture_is_not_noted_as_missing(tmp_path, monkeypatch, trouble):
    exif = Image.Exif()
    exif[270] = "a red kite over hills"
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    with monkeypatch.context() as broken, pytest.raises(MachineTrouble):
        broken.setattr(Image.Image, "getexif", every(1, trouble, None))
        load_gallery(tmp_path)
    assert load_gallery(tmp_path).items["caption"].tolist() == ["a red kite over hills"]


def as_older_versions_wrote(store, reason):
    """Rewrite the manifest: two pictures failed by the machine, and one that is damaged."""
    manifest = json.loads((store / "manifest.json").read_text())
    for row in manifest["failed"]:
        row["reason"] = reason
        del row["errno"]
    (store / "manifest.json").write_text(json.dumps(manifest))


def test_what_an_older_version_laid_to_pictures_is_looked_at_again(folder, tmp_path):
    class Refusing(ToyEncoder):
        def encode_batch(self, batch):
            if (batch.argmax(axis=1) == 2).any():
                raise ValueError("too blue")
            return super().encode_batch(batch)

    store = tmp_path / "store"
    assert len(embedded(folder, store, Refusing()).failed) == 4
    assert len(embedded(folder, store).failed) == 4, "what is settled is not tried for ever"
    as_older_versions_wrote(store, "it is cut short or damaged ([Errno 24] Too many open files)")
    found = embedded(folder, store)
    assert found.failed.empty and len(found) == N


def test_a_file_that_could_not_be_opened_is_asked_again_and_a_damaged_one_is_not(folder, tmp_path):
    gallery, store = load_gallery(folder), tmp_path / "store"
    away, damaged = (gallery.file(gallery.items["id"][row]) for row in (3, 5))
    damaged.write_bytes(damaged.read_bytes()[:40])
    gallery = load_gallery(folder)
    kept = away.read_bytes()
    away.unlink()
    first = embed_gallery(gallery, ToyEncoder(), store, shard_size=8)
    rows = {row["id"]: row["errno"] for row in first.manifest["failed"]}
    assert rows == {away.name: "ENOENT", damaged.name: ""}
    away.write_bytes(kept)
    assert embed_gallery(gallery, ToyEncoder(), store, shard_size=8).failed["id"].tolist() == [
        damaged.name
    ]


LIMITED = """
import os, resource, sys
from pathlib import Path
from sigscope import paths
from toy import ToyEncoder
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.images import MachineTrouble
gallery, home = load_gallery(sys.argv[1]), Path(sys.argv[2])
held = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
for spare in sys.argv[3:]:
    child = os.fork()
    if child:
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    os.dup2(os.open(home / f"said-{spare}", os.O_WRONLY | os.O_CREAT), 2)
    paths.CACHE = home / f"cache-{spare}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(held) + 2 + int(spare), 4096))
    try:
        embed_gallery(gallery, ToyEncoder(), home / f"store-{spare}", batch_size=4, workers=8)
    except (MachineTrouble, OSError) as reason:
        sys.exit(str(reason))
    sys.exit(0)
"""


@pytest.mark.slow
def test_at_a_low_limit_of_open_files_no_picture_is_lost(folder, tmp_path):
    """The limit is real: each process has so few descriptors to spare."""
    spares = [str(spare) for spare in range(0, 12, 2)]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder), str(tmp_path), *spares],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(SOURCES)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    for spare, code in zip(spares, done.stdout.split(), strict=True):
        said = (tmp_path / f"said-{spare}").read_text()
        assert code == "0" or "Too many open files" in said, said
        assert "Traceback" not in said
        found = embedded(folder, tmp_path / f"store-{spare}")
        assert len(found) == N and found.failed.empty


def encoded(format, **how):
    buffer = BytesIO()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (24, 24, 3), np.uint8)).save(buffer, format, **how)
    return buffer.getvalue()


PICTURES = [
    *(encoded(name) for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")),
    *(encoded("TIFF", compression=packed) for packed in ("tiff_lzw", "tiff_deflate", "packbits")),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_bytes_pass_for_trouble_of_the_machine(data):
    """A picture that could claim so would stop every run over its folder."""
    body = bytearray(data.draw(st.sampled_from(PICTURES)))
    for place in data.draw(st.lists(st.integers(0, min(len(body), 200) - 1), max_size=8)):
        body[place] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
    with suppress(PictureError):
        assert open_picture(bytes(body)).mode == "RGB"


def test_embedded_captions_of_a_missing_file_are_none(tmp_path):
    assert embedded_captions(tmp_path / "gone.jpg") == []
