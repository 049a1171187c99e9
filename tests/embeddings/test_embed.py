import errno
import json
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image
from toy import ToyEncoder, unit, write_gallery

from sigscope import files, paths
from sigscope.datasets.load import load_gallery
from sigscope.embeddings import decode, large_stores, store
from sigscope.embeddings.embed import embed_gallery, open_embeddings
from sigscope.embeddings.load import load_embeddings
from sigscope.embeddings.shards import StaleEmbeddings
from sigscope.embeddings.store import StoreError
from sigscope.embeddings.stored_rows import StoredRows
from sigscope.images.read import open_picture
from sigscope.search.searcher import Searcher


@pytest.fixture(autouse=True)
def homes(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    return tmp_path


class Counting(ToyEncoder):
    """Counts the pictures and the texts that it encodes."""

    def __init__(self):
        super().__init__()
        self.batches = []

    def preprocess(self, pictures):
        self.batches.append(len(pictures))
        return super().preprocess(pictures)

    @property
    def work(self):
        return sum(self.batches), len(self.texts_encoded)


@pytest.fixture
def gallery(tmp_path):
    return load_gallery(write_gallery(tmp_path / "gallery", 20))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def made(gallery, folder):
    return embed_gallery(gallery, ToyEncoder(), folder, batch_size=3, shard_size=8)


def hashes(folder):
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): files.sha256(path) for path in found}


def again(folder, gallery, **kwargs):
    """Embed the gallery as it is on disk now; return how many pictures and texts were encoded."""
    encoder = Counting()
    embed_gallery(load_gallery(gallery.root), encoder, folder, batch_size=3, shard_size=8, **kwargs)
    return encoder.work


def break_picture(gallery, row):
    gallery.file(gallery.items["id"][row]).write_bytes(b"<html>Not found</html>")
    return load_gallery(gallery.root)


# --- what is made


def test_each_vector_is_that_of_its_own_picture_and_caption(gallery, made):
    encoder = ToyEncoder()
    pictures = [open_picture(gallery.file(id_)) for id_ in made.ids]
    np.testing.assert_allclose(made.images, encoder.encode_pictures(pictures), atol=1e-3)
    np.testing.assert_allclose(made.captions, encoder.encode_texts(made.caption_texts), atol=1e-3)
    assert made.ids.tolist() == gallery.items["id"].tolist()
    assert made.caption_ids.tolist() == gallery.captions["id"].tolist()
    assert made.caption_texts.tolist() == gallery.captions["caption"].tolist()


def test_vectors_are_contiguous_float32_rows_of_length_one_that_nobody_can_change(made):
    for rows in (made.images, made.captions):
        assert rows.dtype == np.float32 and rows.flags.c_contiguous and not rows.flags.writeable
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("batch_size, shard_size, workers", [(1, 1, 1), (7, 5, 3), (64, 1024, 2)])
def test_sizes_do_not_change_the_vectors(made, gallery, tmp_path, batch_size, shard_size, workers):
    other = embed_gallery(
        gallery,
        ToyEncoder(),
        tmp_path / "other",
        batch_size=batch_size,
        shard_size=shard_size,
        workers=workers,
    )
    np.testing.assert_array_equal(other.images, made.images)
    np.testing.assert_array_equal(other.captions, made.captions)


def test_layout_is_clip_retrievals_with_rows_that_belong_together(made, folder, gallery):
    for number, count in ((0, 8), (1, 8), (2, 4)):
        table = pd.read_parquet(folder / f"metadata/metadata_{number}.parquet")
        images = np.load(folder / f"img_emb/img_emb_{number}.npy")
        texts = np.load(folder / f"text_emb/text_emb_{number}.npy")
        assert list(table.columns) == ["image_path", "caption", "id", "content"]
        assert table["content"].tolist() == [files.sha256(gallery.file(id_)) for id_ in table["id"]]
        assert len(table) == len(images) == len(texts) == count
        assert images.dtype == texts.dtype == np.float16
        expected = ToyEncoder().encode_texts(table["caption"])
        np.testing.assert_allclose(texts.astype(np.float32), expected, atol=1e-3)


def test_captions_of_a_shard_lie_beside_it(made, folder):
    table = pq.read_table(folder / "captions/captions_2.parquet").to_pydict()
    assert list(table) == ["id", "number", "caption"]
    assert table["number"] == [0, 1] * 4
    assert np.load(folder / "caption_emb/caption_emb_2.npy").shape == (8, 4)


def test_shard_numbers_are_padded_so_that_names_sort_as_numbers(gallery, folder):
    embed_gallery(gallery, ToyEncoder(), folder, shard_size=2)
    names = sorted(path.name for path in (folder / "img_emb").iterdir())
    assert names == [f"img_emb_{number}.npy" for number in range(10)]
    assert store.file_name("images", 7, 11) == "img_emb/img_emb_07.npy"


def test_manifest_says_what_it_is_of_and_by(made, gallery):
    manifest = made.manifest
    assert manifest["encoder"] == ToyEncoder().identity
    assert manifest["gallery"] == {"name": "gallery", "fingerprint": gallery.fingerprint}
    assert (manifest["items"], manifest["captions"], manifest["complete"]) == (20, 40, True)


def test_two_runs_leave_the_same_bytes_and_nothing_else(made, folder, gallery, tmp_path):
    embed_gallery(gallery, ToyEncoder(), tmp_path / "twin", batch_size=3, shard_size=8)
    assert hashes(folder) == hashes(tmp_path / "twin")
    assert len(hashes(folder)) == 3 * 5 + 1


def test_no_machine_path_is_written(gallery, folder, tmp_path):
    embed_gallery(break_picture(gallery, 3), ToyEncoder(), folder)
    for path in folder.rglob("*.*"):
        assert str(tmp_path).encode() not in path.read_bytes(), path


# --- bad pictures


def test_a_bad_picture_is_recorded_and_shifts_nothing(gallery, folder, made, tmp_path):
    bad = [0, 9, 19]
    for row in bad:
        gallery = break_picture(gallery, row)
    found = embed_gallery(gallery, ToyEncoder(), tmp_path / "other", batch_size=3, shard_size=8)
    assert found.failed["id"].tolist() == gallery.items["id"][bad].tolist()
    assert all("HTML" in reason for reason in found.failed["reason"])
    np.testing.assert_array_equal(found.images, np.delete(made.images, bad, axis=0))
    kept = ~np.isin(made.caption_ids, found.failed["id"].tolist())
    np.testing.assert_array_equal(found.captions, made.captions[kept])
    assert found.caption_ids.tolist() == made.caption_ids[kept].tolist()


def test_a_picture_that_vanishes_or_is_a_folder_is_recorded(gallery, folder):
    gone, folder_now = gallery.file(gallery.items["id"][1]), gallery.file(gallery.items["id"][2])
    gone.unlink()
    folder_now.unlink()
    folder_now.mkdir()
    found = embed_gallery(gallery, ToyEncoder(), folder)
    assert found.failed["id"].tolist() == gallery.items["id"][1:3].tolist()
    assert len(found) == 18


def test_a_whole_shard_of_bad_pictures_is_an_empty_shard(gallery, folder):
    for row in range(8, 16):
        gallery = break_picture(gallery, row)
    found = embed_gallery(gallery, ToyEncoder(), folder, shard_size=8)
    assert found.images.shape == (12, 4) and len(found.failed) == 8


def test_a_gallery_of_bad_pictures_only_is_an_empty_store(gallery, folder):
    for row in range(20):
        gallery = break_picture(gallery, row)
    found = embed_gallery(gallery, ToyEncoder(), folder)
    assert found.images.shape == (0, 4) and found.captions.shape == (0, 4)


class PickyEncoder(ToyEncoder):
    """Refuses pictures that are quite blue, on its own or as a model does."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def preprocess(self, pictures):
        batch = super().preprocess(pictures)
        self._refuse("preprocess", batch)
        return batch

    def encode_batch(self, batch):
        self._refuse("encode_batch", batch)
        return super().encode_batch(batch)

    def _refuse(self, step, batch):
        if step == self.step and any(row[2] > 200 and row[0] < 9 and row[1] < 9 for row in batch):
            raise RuntimeError(f"too blue for {step}")


@pytest.mark.parametrize("step", ["preprocess", "encode_batch"])
def test_a_picture_that_the_encoder_refuses_is_found_and_recorded(step, gallery, folder, made):
    found = embed_gallery(gallery, PickyEncoder(step), folder.with_name("picky"), batch_size=5)
    blue = gallery.items["id"].str.contains("blue")
    assert found.failed["id"].tolist() == gallery.items["id"][blue].tolist()
    assert set(found.failed["reason"]) == {f"too blue for {step}"}
    np.testing.assert_array_equal(found.images, made.images[~blue.to_numpy()])


@pytest.mark.parametrize("step", ["preprocess", "encode_batch"])
def test_an_encoder_that_fails_on_everything_stops_the_run(step, gallery, folder):
    encoder = ToyEncoder()
    setattr(encoder, step, lambda batch: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        embed_gallery(gallery, encoder, folder)


def test_an_item_without_captions_has_a_row_of_zeros_among_the_texts(tmp_path, folder):
    Image.new("RGB", (4, 4), "red").save(write_gallery(tmp_path / "g", 0) / "red.png")
    (tmp_path / "g" / "metadata.jsonl").unlink()
    found = embed_gallery(load_gallery(tmp_path / "g"), ToyEncoder(), folder)
    assert found.captions.shape == (0, 4) and len(found) == 1
    assert not np.load(folder / "text_emb/text_emb_0.npy").any()


# --- going on, and not mixing


def test_a_finished_store_is_not_made_again(made, folder, gallery):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert again(folder, gallery) == (0, 0)
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_stopped_run_is_gone_on_with(made, folder, gallery, tmp_path):
    class Stopping(ToyEncoder):
        def encode_batch(self, batch):
            if len(self.texts_encoded) > 20:
                raise KeyboardInterrupt
            return super().encode_batch(batch)

    other = tmp_path / "other"
    with pytest.raises(KeyboardInterrupt):
        embed_gallery(gallery, Stopping(), other, batch_size=3, shard_size=8)
    with pytest.raises(StaleEmbeddings, match="unfinished: 1 shard is whole"):
        load_embeddings(other)
    assert again(other, gallery) == (12, 24), "the first shard's eight items are encoded already"
    assert hashes(other) == hashes(folder)


def test_a_changed_caption_costs_that_caption(made, folder, gallery):
    metadata = gallery.root / "metadata.jsonl"
    metadata.write_text(metadata.read_text().replace("something white number 7", "a white cat"))
    assert again(folder, gallery) == (0, 1)
    assert "a white cat" in load_embeddings(folder).caption_texts


def test_a_changed_category_costs_nothing(made, folder, gallery):
    metadata = gallery.root / "metadata.jsonl"
    metadata.write_text(metadata.read_text().replace("cold", "cool"))
    assert again(folder, gallery) == (0, 0)
    assert load_embeddings(folder, gallery=load_gallery(gallery.root))


def test_a_smaller_gallery_leaves_no_shard_behind(made, folder, gallery, tmp_path):
    metadata = gallery.root / "metadata.jsonl"
    metadata.write_text("\n".join(metadata.read_text().splitlines()[:8]))
    assert again(folder, gallery) == (0, 0)
    assert len(load_embeddings(folder)) == 8
    assert len(hashes(folder)) == 5 + 1


def test_half_written_files_of_a_killed_run_are_removed(made, folder, gallery):
    (folder / "img_emb" / f"{files.PART}0123-img_emb_0.npy").write_bytes(b"half")
    (folder / files.LOCK).write_bytes(b"")
    (folder / "img_emb" / "img_emb_1.npy").unlink()
    assert again(folder, gallery) == (8, 0)
    assert len(hashes(folder)) == 3 * 5 + 1


def test_what_is_damaged_alone_is_made_again(made, folder, gallery):
    right = hashes(folder)
    path = folder / "caption_emb/caption_emb_1.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(StaleEmbeddings, match="caption_emb_1.npy"):
        load_embeddings(folder)
    assert again(folder, gallery) == (0, 8), "the other eight captions are in other shards too"
    assert hashes(folder) == right


def test_a_store_by_another_model_is_refused_and_kept(made, folder, gallery):
    before = hashes(folder)
    with pytest.raises(StaleEmbeddings, match="another model"):
        embed_gallery(gallery, ToyEncoder(weights="others"), folder)
    assert hashes(folder) == before


def test_a_folder_of_another_tool_is_refused_and_kept(made, folder, gallery):
    (folder / "manifest.json").unlink()
    before = hashes(folder)
    with pytest.raises(StaleEmbeddings, match="another tool"):
        embed_gallery(gallery, ToyEncoder(), folder)
    assert hashes(folder) == before


# --- loading


def test_loading_gives_what_was_made(made, folder, gallery):
    loaded = load_embeddings(folder, gallery=gallery, identity=ToyEncoder().identity)
    np.testing.assert_array_equal(loaded.images, made.images)
    assert loaded.ids.tolist() == made.ids.tolist() and loaded.dimension == 4


def test_another_gallery_is_refused(made, folder, tmp_path):
    other = load_gallery(write_gallery(tmp_path / "other", 19))
    with pytest.raises(StaleEmbeddings, match="embeddings of gallery .* make the embeddings again"):
        load_embeddings(folder, gallery=other)


def test_another_model_is_refused(made, folder):
    with pytest.raises(StaleEmbeddings, match="by another toy; embed"):
        load_embeddings(folder, identity=ToyEncoder(weights="others").identity)


def test_no_store_is_a_sentence(folder):
    with pytest.raises(StaleEmbeddings, match="there are no embeddings in"):
        load_embeddings(folder)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": "sigscope embeddings 1"}'])
def test_a_broken_manifest_is_a_sentence(text, made, folder):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(StaleEmbeddings, match="make|delete"):
        load_embeddings(folder)


def rehash(folder, *names):
    """Write the hashes of files as they are now into the manifest, as a faulty writer would."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for shard in manifest["shards"]:
        shard["files"] |= {n: files.sha256(folder / n) for n in names if n in shard["files"]}
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "rows, sentence",
    [
        (np.ones((8, 4), np.float16), "length 2, not 1"),
        (np.full((8, 4), np.nan, np.float16), "length nan"),
        (np.eye(8, 5, dtype=np.float16), "5 dimensions, not 4"),
        (np.eye(7, 4, dtype=np.float16) + np.eye(7, 4, -4, np.float16), "19 vectors for 20"),
        (np.zeros(8, np.float16), "not vectors"),
    ],
)
def test_rows_that_are_not_the_right_unit_vectors_are_refused(rows, sentence, made, folder):
    np.save(folder / "img_emb/img_emb_0.npy", rows)
    rehash(folder, "img_emb/img_emb_0.npy")
    with pytest.raises(StaleEmbeddings, match=sentence):
        load_embeddings(folder)


def test_an_id_that_comes_twice_is_refused(made, folder):
    for part in ("img_emb/img_emb_{}.npy", "metadata/metadata_{}.parquet"):
        shutil.copy(folder / part.format(0), folder / part.format(1))
        rehash(folder, part.format(1))
    with pytest.raises(StaleEmbeddings, match="more than once"):
        load_embeddings(folder)


def test_ids_in_another_order_than_the_gallerys_are_refused(made, folder, gallery):
    path = folder / "metadata/metadata_0.parquet"
    pd.read_parquet(path)[::-1].to_parquet(path)
    rehash(folder, "metadata/metadata_0.parquet")
    with pytest.raises(StaleEmbeddings, match="do not list the same pictures"):
        load_embeddings(folder, gallery=gallery)


def write_clip_retrieval(folder, shards):
    """Write what clip-retrieval does: item i of the whole has the vector of angle i degrees."""
    start = 0
    for number, count in shards.items():
        angles = np.radians(np.arange(start, start + count))
        rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float16)
        names = [f"/photos/{i}.jpg" for i in range(start, start + count)]
        table = pd.DataFrame({"image_path": names, "caption": [f"photo {n}" for n in names]})
        for part in ("img_emb", "text_emb", "metadata"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        np.save(folder / f"img_emb/img_emb_{number}.npy", rows)
        np.save(folder / f"text_emb/text_emb_{number}.npy", rows)
        table.to_parquet(folder / f"metadata/metadata_{number}.parquet")
        start += count


def test_a_folder_of_clip_retrieval_is_read_in_the_order_of_its_numbers(folder):
    write_clip_retrieval(folder, {2: 3, 9: 4, 10: 5})
    found = load_embeddings(folder)
    assert found.ids.tolist() == [f"/photos/{i}.jpg" for i in range(12)]
    angles = np.degrees(np.arctan2(found.images[:, 1], found.images[:, 0]))
    np.testing.assert_allclose(angles, np.arange(12), atol=0.1)
    assert found.caption_texts[11] == "photo /photos/11.jpg" and found.captions.shape == (12, 2)


def test_a_row_of_clip_retrieval_that_is_no_number_is_left_out_with_its_reason(folder):
    write_clip_retrieval(folder, {0: 3})
    file = folder / "img_emb" / "img_emb_0.npy"
    rows = np.load(file)
    rows[1] = np.nan
    np.save(file, rows)
    found = load_embeddings(folder)
    assert len(found) == 2 and np.isfinite(found.images).all()
    assert found.failed["reason"].tolist() == ["row 1 has a vector that is no number, or all zeros"]


def test_clip_retrieval_metadata_without_paths_gives_its_keys(folder):
    write_clip_retrieval(folder, {0: 3})
    for file in (folder / "metadata").iterdir():
        table = pd.read_parquet(file)
        table["key"] = ["a", "b", "a"]
        table[["key", "caption"]].to_parquet(file)
    assert load_embeddings(folder).ids.tolist() == ["a", "b", "a#2"]


def test_blank_captions_and_absent_texts_of_clip_retrieval_are_left_out(folder):
    write_clip_retrieval(folder, {0: 3})
    path = folder / "metadata/metadata_0.parquet"
    pd.read_parquet(path).assign(caption=["one", None, " "]).to_parquet(path)
    assert load_embeddings(folder).caption_texts.tolist() == ["one"]
    shutil.rmtree(folder / "text_emb")
    assert load_embeddings(folder).captions.shape == (0, 2)


def test_our_own_store_reads_as_clip_retrievals_without_its_manifest(made, folder):
    (folder / "manifest.json").unlink()
    np.testing.assert_array_equal(load_embeddings(folder).images, made.images)


# --- opening: shipped, cached, or made


def test_what_is_shipped_is_used_if_it_fits(homes, gallery):
    embed_gallery(gallery, ToyEncoder(), homes / "shipped" / "gallery-toy")
    assert open_embeddings(gallery, ToyEncoder()).folder == homes / "shipped" / "gallery-toy"
    assert not (homes / "cache" / "embeddings").exists()


def test_what_is_not_shipped_is_made_in_the_cache_once(homes, gallery):
    encoder = ToyEncoder()
    first = open_embeddings(gallery, encoder)
    assert first.folder.parent == homes / "cache" / "embeddings" and encoder.texts_encoded
    encoder.texts_encoded.clear()
    assert open_embeddings(gallery, encoder).folder == first.folder
    assert not encoder.texts_encoded


def test_each_model_and_subset_has_its_own_place_in_the_cache(homes, gallery):
    folders = {
        open_embeddings(gallery, ToyEncoder()).folder,
        open_embeddings(gallery, ToyEncoder(weights="others")).folder,
        open_embeddings(gallery.subset(split="test"), ToyEncoder()).folder,
    }
    assert len(folders) == 3


# --- the machine around it


def test_a_full_disk_is_a_sentence_and_the_run_goes_on_later(made, folder, gallery, monkeypatch):
    write, written = Path.write_bytes, []

    def write_until_full(path, data):
        written.append(path)
        if len(written) > 7:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    other = folder.with_name("other")
    monkeypatch.setattr(Path, "write_bytes", write_until_full)
    with pytest.raises(StoreError, match="disk is full.*goes on where it stopped"):
        embed_gallery(gallery, ToyEncoder(), other, batch_size=3, shard_size=8)
    monkeypatch.undo()
    assert again(other, gallery) == (12, 24)
    assert hashes(other) == hashes(folder)


def test_a_place_that_cannot_be_written_to_is_a_sentence(gallery, folder, monkeypatch):
    folder.write_text("a file")
    with pytest.raises(StoreError, match="is a file; embeddings need a folder"):
        embed_gallery(gallery, ToyEncoder(), folder)

    def forbid(path, **kwargs):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", forbid)
    with pytest.raises(StoreError, match="may not be written to .Read-only file system."):
        embed_gallery(gallery, ToyEncoder(), folder.with_name("elsewhere"))


def test_progress_is_silent_unless_asked_for(gallery, folder, capsys):
    embed_gallery(gallery, ToyEncoder(), folder)
    assert capsys.readouterr() == ("", "")


def test_progress_shows_rate_and_time_left_on_stderr(gallery, folder, capsys):
    embed_gallery(gallery, ToyEncoder(pause_s=0.03), folder, batch_size=2, progress=True)
    out, err = capsys.readouterr()
    assert not out
    assert "pictures/s" in err and "20/20" in err and "<00:0" in err


def test_decoding_overlaps_the_model(gallery, folder):
    begun, answered = [], []

    class Waiting(ToyEncoder):
        """Its model gives no answer until the next batch is being decoded."""

        def preprocess(self, pictures):
            begun.append(len(pictures))
            return super().preprocess(pictures)

        def encode_batch(self, batch):
            deadline = time.monotonic() + 10
            while len(begun) < min(len(answered) + 2, 10):
                assert time.monotonic() < deadline, "the next batch waits for this one"
                time.sleep(0.001)
            answered.append(len(batch))
            return super().encode_batch(batch)

        def encode_texts(self, texts, batch_size=64):
            return unit(np.ones((len(texts), 4)))

    embed_gallery(gallery, Waiting(), folder, batch_size=2)
    assert answered == [2] * 10


def test_large_pictures_are_decoded_in_parts(gallery, folder, monkeypatch):
    monkeypatch.setattr(decode, "MAX_PIXELS", 2 * 8 * 8)
    sizes = []

    class Counting(ToyEncoder):
        def preprocess(self, pictures):
            sizes.append(len(pictures))
            return super().preprocess(pictures)

    embed_gallery(gallery, Counting(), folder, batch_size=20)
    assert max(sizes) == 3 and sum(sizes) == 20


def test_two_at_once_share_the_work_and_agree(gallery, folder):
    encoders = [ToyEncoder(pause_s=0.01), ToyEncoder(pause_s=0.01)]
    threads = [
        threading.Thread(target=embed_gallery, args=(gallery, encoder, folder))
        for encoder in encoders
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(encoder.texts_encoded) for encoder in encoders) == 28, "20 of them differ by 8"
    assert len(hashes(folder)) == 5 + 1


HOLDER = """
import sys, time, pathlib
from sigscope.files import folder_lock
with folder_lock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(folder):
    """A process that holds the folder."""
    run = subprocess.Popen([sys.executable, "-c", HOLDER, folder], stdout=subprocess.PIPE)
    assert run.stdout.readline() == b"held\n"
    yield run
    run.kill()
    run.wait()
    run.stdout.close()


def test_a_busy_folder_is_waited_for_and_said_so(holder, folder):
    said = []
    with (
        pytest.raises(files.FolderBusy, match="still at work"),
        files.folder_lock(folder, wait_s=0.1, say=said.append),
    ):
        pass
    assert len(said) == 1 and "waiting for it to finish" in said[0]


def test_a_lock_dies_with_its_owner(holder, folder):
    holder.kill()
    holder.wait()
    with files.folder_lock(folder, wait_s=1):
        assert (folder / files.LOCK).exists()
    assert not (folder / files.LOCK).exists()


def test_a_lock_that_its_last_owner_removed_is_not_ours(folder, monkeypatch):
    import fcntl

    flock, locked = fcntl.flock, []

    def flock_as_another_ends(file, how):
        flock(file, how)
        if how & fcntl.LOCK_EX and (folder / files.LOCK).exists():  # and no trial of filelock's
            locked.append(file)
            if len(locked) == 1:
                (folder / files.LOCK).unlink()

    monkeypatch.setattr(fcntl, "flock", flock_as_another_ends)
    with files.folder_lock(folder):
        assert len(locked) == 2 and (folder / files.LOCK).exists()


@pytest.mark.parametrize("name", ["batch_size", "shard_size", "workers"])
def test_sizes_below_one_are_refused(name, gallery, folder):
    with pytest.raises(ValueError, match=f"{name} is 0"):
        embed_gallery(gallery, ToyEncoder(), folder, **{name: 0})


# --- vectors that stay on disk


def test_vectors_that_stay_on_disk_are_those_in_memory(made, folder, gallery, monkeypatch):
    monkeypatch.setenv("SIGSCOPE_VECTORS", "disk")
    found = load_embeddings(folder, gallery=gallery, identity=ToyEncoder().identity)
    assert isinstance(found.images, StoredRows) and isinstance(found.captions, StoredRows)
    np.testing.assert_array_equal(found.images[:], made.images)
    np.testing.assert_array_equal(found.captions[np.arange(len(made.captions))], made.captions)
    for name in ("ids", "caption_ids", "caption_texts"):
        assert list(getattr(found, name)) == list(getattr(made, name))
    np.testing.assert_array_equal(found.owners, made.owners)
    tables = [
        Searcher(gallery, of, ToyEncoder()).by_text("a red square", 20) for of in (found, made)
    ]
    scores = [table.set_index("id")["score"].sort_index() for table in tables]
    pd.testing.assert_series_equal(*scores, check_index_type=False, atol=1e-6)


def test_vectors_stay_on_disk_where_they_would_fill_the_memory(made, folder, monkeypatch):
    monkeypatch.setattr(large_stores, "_room", lambda: 4 * 4 * (20 + 40) - 1)
    assert isinstance(load_embeddings(folder).images, StoredRows)
    monkeypatch.setenv("SIGSCOPE_VECTORS", "memory")
    assert isinstance(load_embeddings(folder).images, np.ndarray)
    monkeypatch.setenv("SIGSCOPE_VECTORS", "")
    monkeypatch.setattr(large_stores, "_room", lambda: 4 * 4 * (20 + 40))
    assert isinstance(load_embeddings(folder).images, np.ndarray)
    monkeypatch.setenv("SIGSCOPE_VECTORS", "tape")
    with pytest.raises(ValueError, match="SIGSCOPE_VECTORS is 'tape'; it must be one of auto, mem"):
        load_embeddings(folder)


def test_a_gallery_that_lists_others_is_refused_on_disk_as_well(made, folder, gallery, monkeypatch):
    monkeypatch.setenv("SIGSCOPE_VECTORS", "disk")
    turned = replace(gallery, items=gallery.items.iloc[::-1].reset_index(drop=True))
    with pytest.raises(StaleEmbeddings, match="do not list the same pictures"):
        load_embeddings(folder, gallery=turned)
