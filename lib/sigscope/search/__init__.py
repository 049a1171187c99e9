"""Words, pictures and items become a ranked table."""

from sigscope.search.compose import LESS, Part, parts_of, raw_sum
from sigscope.search.examples import example_queries
from sigscope.search.export import as_csv, as_imagefolder, as_paths, as_zip
from sigscope.search.merging import Endpoint, MergeError, Merger, by_template
from sigscope.search.queries import BY
from sigscope.search.reread import DEPTH, by_reading
from sigscope.search.searcher import Searcher
from sigscope.search.side_by_side import Shared, facts, missed, shared_results
from sigscope.search.targets import UnreadableGallery
from sigscope.search.words import gallery_words, unknown_words

__all__ = [
    "BY",
    "DEPTH",
    "Endpoint",
    "LESS",
    "MergeError",
    "Merger",
    "Part",
    "Searcher",
    "Shared",
    "UnreadableGallery",
    "as_csv",
    "as_imagefolder",
    "as_paths",
    "as_zip",
    "by_reading",
    "by_template",
    "example_queries",
    "facts",
    "gallery_words",
    "missed",
    "parts_of",
    "raw_sum",
    "shared_results",
    "unknown_words",
]
