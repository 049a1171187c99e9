"""Embed the shipped gallery with the shipped model, and lay it out: a fresh clone starts there."""

import shutil

from sigscope.ann.measure import threads_set
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.maps.map import KINDS, MapSettings, settings_key, write_map
from sigscope.maps.projection import make_map
from sigscope.models.encoder import Encoder
from sigscope.paths import GALLERY, MINI, SHIPPED, SHIPPED_MAPS


def main() -> None:
    """Make the store anew, in float32, and the maps of its pictures, without and with captions."""
    gallery, encoder = load_gallery(GALLERY), Encoder.load(MINI, device="cpu", dtype="float32")
    folder = SHIPPED / f"{gallery.name}-{encoder.model}"
    for old in (folder, SHIPPED_MAPS):
        shutil.rmtree(old, ignore_errors=True)
    embeddings = embed_gallery(gallery, encoder, folder, shard_size=1024, progress=True)
    for settings in (MapSettings(), MapSettings(KINDS)):
        with threads_set(1):  # cosines differ in their last bits with the number of threads
            made = make_map(embeddings, settings)
        write_map(SHIPPED_MAPS / settings_key(made.settings), made)
    print(f"{len(embeddings):,} pictures and {len(embeddings.caption_ids):,} captions in {folder}.")


if __name__ == "__main__":
    main()
