"""A folder, a zip or a table becomes a gallery: one row for each picture."""

from sigscope.gallery.folder import GalleryError, list_folder
from sigscope.gallery.gallery import Gallery

__all__ = ["Gallery", "GalleryError", "list_folder"]
