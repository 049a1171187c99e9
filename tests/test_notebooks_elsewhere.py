"""The notebooks run on anybody's pictures and with anybody's model: here on two galleries."""

import json
import os

import nbformat
import pytest

from sigscope import load_gallery
from sigscope.cli import notebooks
from sigscope.paths import GALLERY, NOTEBOOKS, ROOT

CHOSEN = [path for path in notebooks.found(NOTEBOOKS) if path.name[:2] in ("03", "04", "06", "10")]
BESIDE = ROOT.parent / "shared" / "photos" / "flickr8k"
FLICKR8K = os.environ.get("FLICKR8K") or (str(BESIDE) if BESIDE.is_dir() else "")
PLAIN, FLICKR = "sixty plain pictures", "the test split of Flickr8k"
THERE = pytest.mark.skipif(not FLICKR8K, reason="FLICKR8K=DIR says where the data set is")


@pytest.fixture(scope="module")
def galleries(tmp_path_factory):
    """Folders by what is in them; the pictures of neither have a category."""
    plain = tmp_path_factory.mktemp("plain") / "photos"
    plain.mkdir()
    shipped = load_gallery(GALLERY)
    for number, id in enumerate(shipped.items["id"].sample(60, random_state=0)):
        shipped.picture(id).save(plain / f"{number:02}.png")
    folders = {PLAIN: plain}
    if FLICKR8K:
        folders[FLICKR] = tmp_path_factory.mktemp("flickr8k")
        copy_test_split(folders[FLICKR])
    return folders


def copy_test_split(folder):
    """Copy its pictures, with a table of their captions."""
    flickr, rows = load_gallery(f"flickr8k:{FLICKR8K}"), []
    for item in flickr.subset(split="test").items.itertuples():
        (folder / f"{len(rows)}.jpg").write_bytes(flickr.original(item.id))
        row = {"file_name": f"{len(rows)}.jpg", "captions": list(item.captions), "split": "test"}
        rows.append(json.dumps(row))
    (folder / "metadata.jsonl").write_text("\n".join(rows), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("path", CHOSEN, ids=[path.stem for path in CHOSEN])
@pytest.mark.parametrize("place", [PLAIN, pytest.param(FLICKR, marks=THERE)])
def test_runs_to_its_end_with_other_pictures_and_another_model(
    place, path, galleries, checkpoint, monkeypatch, tmp_path_factory
):
    monkeypatch.setenv("SIGSCOPE_GALLERY", str(galleries[place]))
    monkeypatch.setenv("SIGSCOPE_MODEL", str(checkpoint("siglip")))
    monkeypatch.setenv("SIGSCOPE_CACHE", str(tmp_path_factory.getbasetemp() / "elsewhere"))
    notebook = nbformat.read(path, as_version=4)
    outcome = notebooks.execute(notebook, path, lambda *_: None)
    assert outcome.error == ""
    said = [output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("here" in text for text in said), "nothing was compared"
    assert any(text.startswith("Not run here: it needs") for text in said)
