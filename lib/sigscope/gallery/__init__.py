"""A folder, a zip or a table becomes a gallery: one row for each picture."""

from sigscope.gallery.folder import GalleryError, list_folder
from sigscope.gallery.gallery import Gallery
from sigscope.gallery.practice import BROKEN, CAPTIONED, COPIES, EACH, ODD, TRAP, ZIP, ZIPPED, make
from sigscope.gallery.shaky_server import BUSY, NETWORK, ShakyServer

__all__ = [
    "BROKEN",
    "BUSY",
    "CAPTIONED",
    "COPIES",
    "EACH",
    "Gallery",
    "GalleryError",
    "NETWORK",
    "ODD",
    "ShakyServer",
    "TRAP",
    "ZIP",
    "ZIPPED",
    "list_folder",
    "make",
]
