"""Embeds a gallery into each folder named on stdin, slowly enough to be killed anywhere.

``python embed_slowly.py GALLERY``: for each line it forks a process, so that a run need not import
everything anew, prints that process's id when the run begins, and its exit code when it is over.
"""

import os
import sys
import time

from toy import ToyEncoder

from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery

LINGER_S = 0.002  # before and after each file gets its final name
replace = os.replace


def lingering_replace(source, target):
    time.sleep(LINGER_S)
    replace(source, target)
    time.sleep(LINGER_S)


def run(gallery, folder):
    try:
        os.replace = lingering_replace
        encoder = ToyEncoder(pause_s=0.004)
        embed_gallery(gallery, encoder, folder, batch_size=3, shard_size=11)
        os._exit(0)
    finally:
        os._exit(1)


if __name__ == "__main__":
    gallery = load_gallery(sys.argv[1])
    for line in sys.stdin:
        child = os.fork() or run(gallery, line.strip())
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
