"""Embeds a gallery into a folder, slowly enough to be killed anywhere: python embed_slowly.py G F.

It prints a line when the work begins, and lingers before and after each file gets its final name.
"""

import os
import sys
import time

from toy import ToyEncoder

from sigscope.embeddings import embed_gallery
from sigscope.gallery import load_gallery

LINGER_S = 0.002
replace = os.replace


def lingering_replace(source, target):
    time.sleep(LINGER_S)
    replace(source, target)
    time.sleep(LINGER_S)


if __name__ == "__main__":
    os.replace = lingering_replace
    gallery = load_gallery(sys.argv[1])
    encoder = ToyEncoder(pause_s=0.004)
    print("begins", flush=True)
    embed_gallery(gallery, encoder, sys.argv[2], batch_size=3, shard_size=8)
