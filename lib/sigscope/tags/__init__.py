"""What people keep of a gallery: tags, selections, searches by name."""

from sigscope.tags.store import STAR, TagsError, TagStore

__all__ = ["STAR", "TagStore", "TagsError"]
