"""What publishers ship, damaged at random: a gallery, or a sentence; nothing else is raised.

SIGSCOPE_FUZZ says how many damages are tried; few are in the quick tests.
"""

import io
import json
import os
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_files import coco_file, karpathy_file, pictures, r5_table, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from img2dataset_files import row, write_files, write_tar

from sigscope import paths
from sigscope.datasets.judgements import read_judgements
from sigscope.datasets.load import load_gallery, open_list
from sigscope.downloads.lists import ListError
from sigscope.embeddings.load import load_embeddings
from sigscope.embeddings.shards import StaleEmbeddings
from sigscope.gallery.folder import GalleryError

TRIES = int(os.environ.get("SIGSCOPE_FUZZ", 60))
NODES = [
    *(None, True, float("nan"), float("inf"), -1, 1.0, 10**30, "", "\ud800", "a\0b", "../a.jpg"),
    *("/etc/passwd", "a.jpg", [], {}, [[]], [None], {"raw": None}, {"": {}}, "x" * 5000, "['"),
]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")


def _coco(root):
    coco_file(root, "val2017", {1: "a.jpg", 2: "b.jpg"}, [(1, "a cat"), (2, "a dog")])
    pictures(root, "val2017/a.jpg", "val2017/b.jpg")


def _coco_by_id(root):
    images = {"1": {"file_name": "a.jpg"}, "01": {"file_name": "b.jpg"}}
    notes = {"1": {"image_id": "1", "caption": "one"}, "2": {"file_name": "b.jpg", "caption": "b"}}
    write(root / "captions.json", {"images": images, "annotations": notes})
    pictures(root, "a.jpg", "b.jpg")


def _conversations(root):
    turns = [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "a cat"}]
    write(root / "llava.json", [{"image": "a.jpg", "conversations": turns}])
    pictures(root, "a.jpg")


def _karpathy(root, name="flickr8k"):
    images = [{"filename": f"{name}.jpg", "split": "train", "raw": ["A cat"]} for name in "ab"]
    karpathy_file(root / f"dataset_{name}.json", images)
    pictures(root, "a.jpg", "b.jpg")


def _tokens(root):
    write(root / "Flickr8k.token.txt", "a.jpg#0\ta cat\nb.jpg#1\ta dog\n")
    write(root / "Flickr_8k.trainImages.txt", "a.jpg\n")
    write(root / "ExpertAnnotations.txt", "a.jpg\tb.jpg#1\t1\t2\t4\n")
    pictures(root, "a.jpg", "b.jpg")


def _flickr30k(root):
    write(root / "results.csv", "image_name| comment_number| comment\na.jpg| 0| a cat\n")
    pictures(root, "a.jpg")


def _ilsvrc(root):
    write(root / "ILSVRC2012_validation_ground_truth.txt", "2\n1\n")
    write(root / "map_clsloc.txt", "n01440764 1 tench\nn01443537 2 goldfish\n")
    pictures(root, *(f"ILSVRC2012_val_0000000{n}.JPEG" for n in (1, 2)))


def _kaggle(root):
    text = "ImageId,PredictionString\nILSVRC2012_val_00000001,n01440764 1 2 3 4\n"
    write(root / "LOC_val_solution.csv", text)
    write(root / "LOC_synset_mapping.txt", "n01440764 tench, Tinca tinca\n")
    pictures(root, "ILSVRC2012_val_00000001.JPEG")


def _sbu(root):
    write(root / "sbu-captions-all.json", {"image_urls": ["http://x.test/a"], "captions": ["a"]})


def _lists(root):
    write(root / "urls.csv", "URL,TEXT\nhttp://x.test/a.jpg,a cat\n")


def _shards(root):
    write_files(root, "00000", [row("000000000"), row("000000001", "failed_to_download")])


def _tars(root):
    write_tar(root, "00000", [row("000000000"), row("000000001")], ("b.cls", b"1"))


def _imagefolder(root):
    rows = [{"file_name": f"{name}.jpg", "text": "a cat", "label": 1} for name in "ab"]
    write(root / "metadata.jsonl", "\n".join(map(json.dumps, rows)))
    write(root / "c/metadata.json", [{"file_name": "c.jpg", "captions": [{"raw": "x"}]}])
    write(root / "a.json", {"caption": "a cat", "tags": ["x"]})
    pictures(root, "a.jpg", "b.jpg", "c/c.jpg", "d/d.jpg")


def _parquet(root):
    pictures(root, "a.jpg")
    image = {"bytes": (root / "a.jpg").read_bytes(), "path": "a.jpg"}
    said = {"info": {"features": {"label": {"names": ["cat"], "_type": "ClassLabel"}}}}
    table = pa.Table.from_pylist([{"image": image, "text": "a cat", "label": 0}] * 2)
    table = table.replace_schema_metadata({"huggingface": json.dumps(said)})
    pq.write_table(table, root / "train-00000-of-00001.parquet")
    (root / "a.jpg").unlink()


def _vectors(root):
    root.mkdir(exist_ok=True)
    r5_table(root / "table.csv")


def _clip_retrieval(root):
    for part in ("img_emb", "text_emb"):
        (root / part).mkdir(parents=True)
        np.save(root / part / f"{part}_0.npy", np.eye(4, dtype=np.float16)[:2])
    table = pa.table({"image_path": ["a.jpg", "b.jpg"], "caption": ["a", "b"]})
    (root / "metadata").mkdir()
    pq.write_table(table, root / "metadata/metadata_0.parquet")


def _zip(root):
    _imagefolder(root / "in")
    with zipfile.ZipFile(root / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((root / "in").rglob("*.j*")):
            archive.write(path, path.relative_to(root))


def _tar(root):
    _imagefolder(root / "in")
    with tarfile.open(root / "x.tar", "w:gz") as archive:
        for path in sorted((root / "in").glob("a.j*")):
            archive.addfile(archive.gettarinfo(path, path.name), io.BytesIO(path.read_bytes()))


def gallery(name=""):
    return lambda root: load_gallery(f"{name}:{root}" if name else root)


SHIPPED = {  # how it is made, and by whom it is read
    "coco": (_coco, gallery("coco")),
    "a folder of COCO": (_coco, gallery()),
    "COCO by ids": (_coco_by_id, gallery()),
    "COCO by name and ids": (_coco_by_id, gallery("coco")),
    "conversations": (_conversations, gallery()),
    "coco-karpathy": (lambda root: _karpathy(root, "coco"), gallery("coco")),
    "karpathy": (_karpathy, gallery("flickr8k")),
    "flickr8k": (_tokens, gallery("flickr8k")),
    "judgements": (_tokens, lambda root: read_judgements(root, "experts")),
    "flickr30k": (_flickr30k, gallery("flickr30k")),
    "ilsvrc2012": (_ilsvrc, gallery("ilsvrc2012")),
    "kaggle": (_kaggle, gallery("ilsvrc2012")),
    "sbu": (_sbu, lambda root: list(open_list(f"sbu:{root}").rows())),
    "a list": (_lists, lambda root: list(open_list(str(root / "urls.csv")).rows())),
    "img2dataset": (_shards, gallery("img2dataset")),
    "webdataset": (_tars, gallery()),
    "imagefolder": (_imagefolder, gallery()),
    "parquet": (_parquet, gallery()),
    "dsd": (_parquet, gallery("dsd")),
    "vectors": (_vectors, gallery("vectors")),
    "clip-retrieval": (_clip_retrieval, load_embeddings),
    "zip": (_zip, lambda root: load_gallery(root / "x.zip")),
    "tar": (_tar, lambda root: load_gallery(root / "x.tar")),
}
CUTS = st.lists(
    st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 6)), min_size=1, max_size=4
)


def damaged(data: bytes, draw) -> bytes:
    """Return a file with a part of what it says replaced, or some of its bytes."""
    places = _places(data)
    if places and draw(st.booleans()):
        said = json.loads(data)
        *way, last = draw(st.sampled_from(places))
        inner = said
        for step in way:
            inner = inner[step]
        inner[last] = draw(st.sampled_from(NODES))
        return json.dumps(said).encode()
    changed = bytearray(data)
    for share, put, taken in draw(CUTS):
        place = int(share * len(changed))
        changed[place : place + taken] = put
    return bytes(changed)


def _places(data: bytes) -> list[tuple]:
    """Return the way to each value of a JSON text, [] where it is none."""
    try:
        return list(_ways(json.loads(data), ()))
    except ValueError:
        return []


def _ways(said, way):
    keys = said if isinstance(said, dict) else range(len(said)) if isinstance(said, list) else ()
    for key in keys:
        yield (*way, key)
        yield from _ways(said[key], (*way, key))


def check(found) -> None:
    """Check what goes into files and pages: every text can be written."""
    if hasattr(found, "problems"):
        said = [*found.items["captions"].explode().dropna(), *found.problems.stack()]
        said += [text for name in ("id", "path", "category", "split") for text in found.items[name]]
        "".join(said).encode()
        assert len(found) and len(found.fingerprint) == 64


@pytest.mark.parametrize("name", SHIPPED)
def test_what_was_shipped_whole_is_read(name, tmp_path):
    make, read = SHIPPED[name]
    make(tmp_path / "whole")
    assert len(read(tmp_path / "whole"))


@settings(
    max_examples=TRIES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.sampled_from(sorted(SHIPPED)), data=st.data())
def test_what_was_damaged_on_its_way_is_a_gallery_or_a_sentence(name, data):
    make, read = SHIPPED[name]
    with TemporaryDirectory() as folder:
        make(root := Path(folder, "damaged"))
        files = sorted(path for path in root.rglob("*") if path.is_file())
        lists = [path for path in files if path.suffix.lower() not in (".jpg", ".jpeg")]
        file = data.draw(st.sampled_from(lists), label="file")
        file.write_bytes(damaged(file.read_bytes(), data.draw))
        try:
            check(read(root))
        except (GalleryError, ListError, StaleEmbeddings) as error:
            assert len(str(error)) > 20
