import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from types import SimpleNamespace

import numpy as np
import pytest
from hostile_pictures import KINDS, encoded, flat, noise
from PIL import AvifImagePlugin, Image, features
from toy import ToyEncoder, unit

from sigscope import paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.gallery.folder import GalleryError
from sigscope.gallery.listing import list_folder
from sigscope.images.read import PictureError, open_picture

pytestmark = pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # pytest forgets our filters
GOOD = {what: kind for what, kind in KINDS.items() if kind.shows}
BAD = {what: kind for what, kind in KINDS.items() if kind.reason is not None}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with every kind of file."""
    root = tmp_path_factory.mktemp("hostile")
    for kind in KINDS.values():
        (root / kind.name).parent.mkdir(parents=True, exist_ok=True)
        kind.write(root / kind.name)
    return root


@pytest.fixture(scope="module")
def path(folder, tmp_path_factory):
    """The folder taken through the whole path, and the seconds that took."""
    (folder / "vanishing.png").write_bytes(encoded(flat((9, 9, 9)), "PNG"))
    start = perf_counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "CACHE", tmp_path_factory.mktemp("cache"))
        gallery = load_gallery(folder)
    (folder / "vanishing.png").unlink()
    store = tmp_path_factory.mktemp("store")
    made = embed_gallery(gallery, ToyEncoder(), store, batch_size=5, shard_size=17)
    took = perf_counter() - start
    vectors = dict(zip(made.ids, made.images, strict=True))
    reasons = dict(zip(gallery.problems["path"], gallery.problems["reason"], strict=True))
    reasons |= dict(zip(made.failed["path"], made.failed["reason"], strict=True))
    return SimpleNamespace(gallery=gallery, vectors=vectors, reasons=reasons, seconds=took)


def test_there_are_enough_kinds():
    assert len(GOOD) >= 30 and len(BAD) >= 30


@pytest.mark.parametrize("what", GOOD)
def test_what_can_be_seen_is_decoded_rightly(folder, what):
    kind = GOOD[what]
    picture = open_picture(folder / kind.name)
    for (x, y), colour in kind.shows.items():
        seen = picture.getpixel((int(x * picture.width), int(y * picture.height)))
        np.testing.assert_allclose(seen, colour, atol=kind.atol)


@pytest.mark.parametrize("what", GOOD)
def test_every_picture_gets_the_vector_of_its_own_colour(path, what):
    kind = GOOD[what]
    expected = unit(np.array([[*kind.mean / 255, 0.1]]))[0]
    np.testing.assert_allclose(path.vectors[kind.name], expected, atol=0.03)
    assert kind.name not in path.reasons


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_seen_has_its_reason(path, what):
    kind = BAD[what]
    assert kind.name not in path.vectors
    if kind.reason:
        assert kind.reason in path.reasons["./" if kind.name.startswith(".") else kind.name]
    else:
        assert kind.name not in path.reasons, "its files are listed under their own names"


def test_every_file_is_either_embedded_or_explained(path):
    listed = set(path.gallery.items["id"]) | set(path.gallery.problems["path"])
    silent = {kind.name for kind in BAD.values() if not kind.reason or kind.name.startswith(".")}
    assert listed - {"vanishing.png", "./"} == {kind.name for kind in KINDS.values()} - silent
    assert listed == path.vectors.keys() | path.reasons.keys()
    assert not path.vectors.keys() & path.reasons.keys()


def test_the_counts_of_the_files_add_up_to_all_of_them(path, folder):
    names = {kind.name for kind in KINDS.values() if kind.reason != ""} | {"vanishing.png"}
    shown = len(path.vectors)
    said = path.gallery.counted(len(path.gallery) - shown)
    assert sum(path.gallery.counts.values()) == len(names)
    assert said.startswith(f"{len(names):,} files: {shown} pictures, ")


def test_a_file_that_vanishes_after_the_listing_is_explained(path):
    assert "There is no file" in path.reasons["vanishing.png"]


def test_a_damaged_jpeg_that_decodes_is_embedded(path):
    assert np.isfinite(path.vectors["wrong.jpg"]).all()


def test_reasons_are_sentences_without_machine_paths(folder, path):
    for name, reason in path.reasons.items():
        assert str(folder) not in reason and "0x" not in reason, name
        assert 10 < len(reason) < 250 and "Error" not in reason, name
        reason.encode("utf-8")


def test_nothing_makes_us_wait(path):
    assert path.seconds < 20


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors are counted on Linux")
def test_no_descriptor_stays_open(folder):
    before = len(os.listdir("/proc/self/fd"))
    kept = []
    for kind in KINDS.values():
        try:
            kept.append(open_picture(folder / kind.name, max_side=8))
        except PictureError as error:
            kept.append(error)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_name_that_is_not_utf8_is_told(tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Path(os.fsdecode(name)).write_bytes(encoded(flat((1, 2, 3)), "PNG"))
    (problem,) = list_folder(tmp_path).problems
    assert problem == (r"caf\udce9.png", "its name is not UTF-8; rename it and it will be found")
    assert open_picture(os.fsdecode(name)).getpixel((0, 0)) == (1, 2, 3), "by itself it is read"


def test_a_sentence_about_a_name_that_is_not_utf8_can_be_printed(tmp_path):
    with pytest.raises(PictureError) as caught:
        open_picture(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9.png"))
    assert r"\udce9.png" in str(caught.value).encode("utf-8").decode()


def test_folders_deeper_than_a_path_can_name_are_told(tmp_path):
    here = os.getcwd()
    try:
        os.chdir(tmp_path)
        for _ in range(30):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
    finally:
        os.chdir(here)
    try:
        (problem,) = list_folder(tmp_path).problems
        assert "cannot be read" in problem[1]
    finally:
        subprocess.run(["rm", "-rf", tmp_path / ("d" * 200)], check=True)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_picture_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / ".cache")
    (tmp_path / "a.png").write_bytes(encoded(flat((1, 2, 3)), "PNG"))
    (tmp_path / "a.png").chmod(0)
    with pytest.raises(GalleryError, match=r"a\.png.*may not be read \(permission denied\)"):
        load_gallery(tmp_path)


@pytest.mark.filterwarnings("ignore:image file could not be identified")
def test_an_avif_without_a_decoder_says_so(tmp_path, monkeypatch):
    (tmp_path / "a.avif").write_bytes(encoded(flat((1, 2, 3)), "AVIF"))
    monkeypatch.setattr(AvifImagePlugin, "SUPPORTED", False)
    monkeypatch.setattr(features, "check", lambda feature: False)
    with pytest.raises(PictureError, match="an AVIF picture, which Pillow cannot decode here"):
        open_picture(tmp_path / "a.avif")


def test_a_pipe_put_in_place_of_a_picture_is_not_waited_for(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(encoded(flat((1, 2, 3)), "PNG"))
    status = (tmp_path / "a.png").stat()
    (tmp_path / "a.png").unlink()
    os.mkfifo(tmp_path / "a.png")
    monkeypatch.setattr(Path, "stat", lambda *_, **__: status)
    with pytest.raises(PictureError, match="not an ordinary file any more"):
        open_picture(tmp_path / "a.png")


def test_no_library_prints_lines_of_its_own(tmp_path):
    data = bytearray(encoded(noise(), "TIFF", compression="tiff_lzw"))
    data[100:200] = bytes(range(100))
    (tmp_path / "a.tif").write_bytes(data)
    code = "import sys; from sigscope.images.read import open_picture\n"
    code += "try: open_picture(sys.argv[1])\nexcept ValueError: print('told')"
    command = [sys.executable, "-c", code, tmp_path / "a.tif"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("told\n", "")


def test_pillow_warns_of_nothing_that_is_decoded_or_told(folder):
    code = "import sys; from sigscope.images.read import open_picture\nfor name in sys.argv[1:]:\n"
    code += "    try: open_picture(name)\n    except ValueError: pass"
    names = [folder / kind.name for kind in KINDS.values()]
    done = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_memory_stays_small_for_a_deep_picture(tmp_path):
    tracemalloc = pytest.importorskip("tracemalloc")
    Image.fromarray(np.zeros((3000, 3000), np.uint16)).save(tmp_path / "deep.png")
    tracemalloc.start()
    open_picture(tmp_path / "deep.png")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 9e6 * 8, "less than the picture would take in float64"
