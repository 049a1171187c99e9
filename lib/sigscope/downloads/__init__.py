"""A list of URLs becomes a folder of pictures: polite, bounded, resumable."""

from sigscope.downloads.fetch import fetch_picture
from sigscope.downloads.limits import REASONS, Limits
from sigscope.downloads.lists import UrlList
from sigscope.downloads.records import rows, summary
from sigscope.downloads.run import download

__all__ = ["Limits", "REASONS", "UrlList", "download", "fetch_picture", "rows", "summary"]
