"""A shard while its vectors are made, not all of which are known yet."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sigscope.embeddings.decode import Item
from sigscope.embeddings.shards import Shard


@dataclass
class ShardInProgress:
    """The items of one shard, and their vectors as far as they are known."""

    number: int
    items: list[Item]
    images: np.ndarray  # (items, d) float32
    contents: list[str]  # the SHA-256 of what each vector is of
    failed: dict[str, dict] = field(default_factory=dict)  # by id

    def take(self, item: Item, vector: np.ndarray, content: str) -> None:
        """Take in the vector of an item."""
        self.images[item.row], self.contents[item.row] = vector, content

    def failures(self) -> list[dict]:
        """Return what could not be read, in the order of the items."""
        return [self.failed[item.id] for item in self.items if item.id in self.failed]

    def finished(self, encode_captions: Callable[[list[str]], np.ndarray]) -> Shard:
        """Return what is to be stored: the items that did not fail, in their order."""
        items = [item for item in self.items if item.id not in self.failed]
        rows = [item.row for item in items]
        numbered = [(i.id, number, text) for i in items for number, text in enumerate(i.captions)]
        return Shard(
            ids=[item.id for item in items],
            paths=[item.path for item in items],
            contents=[self.contents[row] for row in rows],
            images=self.images[rows],
            caption_ids=[id_ for id_, _, _ in numbered],
            caption_numbers=[number for _, number, _ in numbered],
            caption_texts=[text for _, _, text in numbered],
            captions=encode_captions([text for _, _, text in numbered]),
        )
