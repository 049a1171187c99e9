"""A folder, a zip or a table becomes a gallery: one row for each picture."""

from sigscope.gallery.folder import GalleryError
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.listing import list_folder
from sigscope.gallery.rows import rows_of

__all__ = ["Gallery", "GalleryError", "list_folder", "rows_of"]
