"""A gallery and an encoder become vectors on disk."""

from sigscope.embeddings.embed import embed_gallery, embeddings_so_far, open_embeddings
from sigscope.embeddings.load import Embeddings, load_embeddings
from sigscope.embeddings.shards import StaleEmbeddings
from sigscope.embeddings.store import StoreError
from sigscope.embeddings.tally import Tally

__all__ = [
    "Embeddings",
    "StaleEmbeddings",
    "StoreError",
    "Tally",
    "embed_gallery",
    "embeddings_so_far",
    "load_embeddings",
    "open_embeddings",
]
