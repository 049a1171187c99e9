"""Embed the shipped gallery with the shipped model: what a fresh clone starts from."""

import shutil

from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.models.encoder import Encoder
from sigscope.paths import GALLERY, MINI, SHIPPED


def main() -> None:
    """Make the store anew, in float32."""
    gallery, encoder = load_gallery(GALLERY), Encoder.load(MINI, device="cpu", dtype="float32")
    folder = SHIPPED / f"{gallery.name}-{encoder.model}"
    shutil.rmtree(folder, ignore_errors=True)
    embeddings = embed_gallery(gallery, encoder, folder, shard_size=1024, progress=True)
    print(f"{len(embeddings):,} pictures and {len(embeddings.caption_ids):,} captions in {folder}.")


if __name__ == "__main__":
    main()
