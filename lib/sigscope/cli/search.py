"""The command `search`: words and pictures go in, and a ranked table is printed."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sigscope.cli.options import AsJson, Model, Pictures, Results, Store
from sigscope.cli.output import print_table, shows_bars

if TYPE_CHECKING:
    import pandas as pd

    from sigscope.search.searcher import Searcher

LESS = 0.5  # how much "less like" weighs, as in the explorer
EPILOG = """Examples:

    sigscope search "a red bus"
    sigscope search "a red bus" --less-like "a drawing" -k 5
    sigscope search --picture cat.jpg --pictures ~/Photos
    sigscope search "in the snow" --picture cat.jpg --json | jq -r '.[].path'
    sigscope search "un chat noir" --by words
    sigscope search "a red bus" --pictures ~/Photos --index hnsw
    sigscope search "a red bus" --pictures vectors:~/embeddings --index ivf-rabitq+disk
    sigscope search "a red bus" --pictures ~/Photos --store milvus://photos.db
    sigscope search "a dog jumps" --pictures videos:~/Films --by-film
    sigscope search "a dog left of a cat" --rerank Salesforce/blip-itm-base-coco

By meaning, a score is the cosine of query and picture; compare scores of one kind of query only.
"""


def search(
    words: Annotated[str, typer.Argument(help='What to look for, as in "a red bus".')] = "",
    picture: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="What they should be like; may be repeated."),
    ] = None,
    less_like: Annotated[
        list[str] | None,
        typer.Option(metavar="WORDS", help="What they should be less like; may be repeated."),
    ] = None,
    by: Annotated[
        Literal["both", "meaning", "words"],
        typer.Option(
            help="What the model sees in pictures; the words of their captions, translations and "
            "names; or both together, where only words are asked for."
        ),
    ] = "both",
    rerank: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="Order the first 100 by a BLIP, BLIP-2 or Qwen3-VL-Reranker: it reads words and "
            "picture together.",
        ),
    ] = "",
    index: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What searches: flat, hnsw, ivf, ivf-pq-fast+rerank, ... It is kept in the cache, "
            "and new pictures are added to it. With ivf-rabitq+disk millions of vectors stay on "
            "disk, where they are in a folder of vectors.",
        ),
    ] = "flat",
    store: Store = "",
    pictures: Pictures = "",
    model: Model = "",
    k: Results = 10,
    by_film: Annotated[
        bool, typer.Option("--by-film", help="Of films (videos:FOLDER): a row each, not a moment.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find pictures by words, by pictures, or by both."""
    from sigscope.search.compose import Part
    from sigscope.search.words import gallery_words, unknown_words

    parts = [Part("text", words)] if words.strip() else []
    parts += [Part("picture", path.expanduser()) for path in picture or []]
    if not parts:
        raise typer.BadParameter("give words to look for, or a picture with --picture")
    parts += [Part("text", text, -LESS) for text in less_like or []]
    if rerank and (picture or less_like):
        raise typer.BadParameter("--rerank reads words alone; leave out --picture and --less-like")
    searcher = _searcher(pictures, index, store, words_only=not picture)
    read = _read(searcher, words, k, rerank, by) if rerank else None
    table = searcher.by_parts(parts, k, by=by) if read is None else read
    gallery = searcher.gallery
    if spelt := gallery_words(gallery).suggestion(words):
        print(f"Did you mean {spelt!r}?", file=sys.stderr)
    if by != "words" and (sentence := unknown_words(searcher.encoder, words)):
        print(sentence, file=sys.stderr)
    place = "id" if "video" in gallery.items else "path"  # of a film, not of what is in the cache
    shown = ("rank", "score", "caption", "category", place, "found_by")
    table = table.assign(path=[str(gallery.root / path) for path in table["path"]])
    if by_film:
        table, shown = _of_films(table), ("video", "score", "seconds", "moments")
    columns = [name for name in shown if name in table]
    print_table(table, as_json=as_json, columns=columns, digits={"score": ".3f"})


def _read(searcher: "Searcher", words: str, k: int, model: str, by: str) -> "pd.DataFrame":
    from sigscope.search.reread import by_reading

    table = by_reading(searcher, words, k, rerank=model, by=by, progress=shows_bars())
    told = table.attrs
    print(f"{told['reread']} pictures read in {told['reread_ms']:,.0f} ms", file=sys.stderr)
    return table


def _of_films(table: "pd.DataFrame") -> "pd.DataFrame":
    from sigscope.datasets.videos import by_video

    try:
        return by_video(table)
    except ValueError:
        raise ValueError("--by-film is for films; give --pictures videos:FOLDER") from None


def _searcher(pictures: str, index: str, store: str, words_only: bool) -> "Searcher":
    """Return a searcher; for words alone half of the model is loaded, where vectors are there."""
    from sigscope.datasets.load import load_gallery
    from sigscope.embeddings.embed import embeddings_so_far, stored_failures
    from sigscope.models.bert import BertText
    from sigscope.models.checkpoints import called
    from sigscope.models.encoder import Encoder
    from sigscope.search.searcher import Searcher

    gallery = load_gallery(pictures or None, progress=shows_bars())
    if words_only and stored_failures(gallery, called()) is not None:
        encoder = BertText.load() or Encoder.load(towers=("text",))
        stored = embeddings_so_far(gallery, encoder)
        if stored.manifest.get("complete", True):  # else it is by another version of the model
            return Searcher(gallery, stored, encoder, index, keep_index=True, store=store)
    return Searcher.open(gallery, index=index, progress=True, store=store)
