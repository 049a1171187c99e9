"""Embeds what it is given in a process of its own, and says how far it is: [done, total] a line."""

import json
import sys

from sigscope import Searcher
from sigscope.embeddings import StaleEmbeddings, StoreError
from sigscope.gallery import GalleryError
from sigscope.images import MachineTrouble
from sigscope.models import ModelError
from sigscope.priority import stand_back


def tell(done: int, total: int) -> None:
    print(json.dumps([done, total]), flush=True)


if __name__ == "__main__":
    stand_back()
    try:
        Searcher.open(sys.argv[1], progress=tell)
    except (GalleryError, MachineTrouble, ModelError, StaleEmbeddings, StoreError) as reason:
        sys.exit(str(reason))
