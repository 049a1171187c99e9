"""The command `search`: words and pictures go in, and a ranked table is printed."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sigscope.cli.options import AsJson, Model, Pictures, Results
from sigscope.cli.output import print_table, shows_bars

if TYPE_CHECKING:
    from sigscope.search.searcher import Searcher

LESS = 0.5  # how much "less like" weighs, as in the explorer
EPILOG = """Examples:

    sigscope search "a red bus"
    sigscope search "a red bus" --less-like "a drawing" -k 5
    sigscope search --picture cat.jpg --pictures ~/Photos
    sigscope search "in the snow" --picture cat.jpg --json | jq -r '.[].path'
    sigscope search "un chat noir" --by words

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
    pictures: Pictures = "",
    model: Model = "",
    k: Results = 10,
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
    searcher = _searcher(pictures, words_only=not picture)
    table = searcher.by_parts(parts, k, by=by)
    root = searcher.gallery.root
    if spelt := gallery_words(searcher.gallery).suggestion(words):
        print(f"Did you mean {spelt!r}?", file=sys.stderr)
    if by != "words" and (sentence := unknown_words(searcher.encoder, words)):
        print(sentence, file=sys.stderr)
    shown = ("rank", "score", "caption", "category", "path", "found_by")
    print_table(
        table.assign(path=[str(root / path) for path in table["path"]]),
        as_json=as_json,
        columns=[name for name in shown if name in table],
        digits={"score": ".3f"},
    )


def _searcher(pictures: str, words_only: bool) -> "Searcher":
    """Return a searcher; for words alone half of the model is loaded, where vectors are there."""
    from sigscope.datasets.load import load_gallery
    from sigscope.embeddings.embed import open_embeddings, stored_failures
    from sigscope.models.checkpoints import called
    from sigscope.models.encoder import Encoder
    from sigscope.models.hub import ModelError
    from sigscope.search.searcher import Searcher

    gallery = load_gallery(pictures or None, progress=shows_bars())
    if words_only and stored_failures(gallery, called()) is not None:
        try:
            encoder = Encoder.load(towers=("text",))
            return Searcher(gallery, open_embeddings(gallery, encoder, progress=True), encoder)
        except ModelError:  # what is stored is by another version of the model: embed again
            pass
    return Searcher.open(gallery, progress=True)
