"""Embeds a gallery by Ray, slowly, with an encoder that notes which processes it runs in.

``python embed_by_ray.py GALLERY STORE NOTES [ADDRESS]`` prints how many pictures are done whenever
that changes; without the address of a cluster it starts Ray itself.
"""

import os
import sys
from pathlib import Path

from toy import ToyEncoder

from sigscope.datasets.load import load_gallery
from sigscope.embeddings import embed_gallery
from sigscope.embeddings.ray_engine import RayEngine

SIZES = {"batch_size": 4, "shard_size": 6}


class NotingEncoder(ToyEncoder):
    """Writes into a folder a file for each process, with a line for each picture encoded."""

    def __init__(self, notes: Path, pause_s: float = 0.05) -> None:
        super().__init__(pause_s=pause_s)
        self.notes = notes

    def encode_batch(self, batch):
        with (self.notes / str(os.getpid())).open("a") as file:
            file.write("picture\n" * len(batch))
        return super().encode_batch(batch)


class DyingEncoder(ToyEncoder):
    """Takes its process with it whenever it sees pictures."""

    def encode_batch(self, batch):
        os._exit(1)


class OtherEncoder(ToyEncoder):
    """Is another one in every process but the one that has made it."""

    def __setstate__(self, state: dict) -> None:
        self.__dict__ |= state
        self.identity = {**self.identity, "weights": "others"}


if __name__ == "__main__":
    gallery, store, notes = map(Path, sys.argv[1:4])
    embed_gallery(
        load_gallery(gallery),
        NotingEncoder(notes),
        store,
        **SIZES,
        engine=RayEngine(*sys.argv[4:], cores=1),
        progress=lambda done, total: print(done, flush=True),
    )
