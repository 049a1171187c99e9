"""The commands that measure: `evaluate` a gallery as the reports do, `recommend` an index."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sigscope.cli.options import AsJson, Model, Pictures
from sigscope.cli.output import print_json, print_table, shows_bars, waiting

if TYPE_CHECKING:
    import pandas as pd

    from sigscope.embeddings.load import Embeddings
    from sigscope.gallery.gallery import Gallery
    from sigscope.types import EncoderLike

FEWEST = 40  # queries that indexes are compared by
EVALUATE = """Examples:

    sigscope evaluate
    sigscope evaluate flickr8k:~/flickr8k
    sigscope evaluate flickr8k:~/flickr8k --protocol judged-captions
    sigscope evaluate oxford5k:~/oxford --json
    sigscope evaluate flickr8k:~/flickr8k --by language

captions: the recalls of reports R1 and R4. Of COCO and Flickr the split alone is searched, as
papers do; of other galleries everything (see --among).
classes: R2's mean average precision with class names and pictures as queries.
landmarks: R2's Oxford5k and Paris6k.
judged-captions: whether the model agrees with the people who graded Flickr8k's captions.

A report and we are comparable as far as the column depends_on says, in a pipe and in JSON.
"""
COMPARE = """Examples:

    sigscope compare siglit-mini google/siglip-base-patch16-224
    sigscope compare openai/clip-vit-base-patch32 ~/my-model --pictures flickr8k:~/flickr8k

better is the gain over the model named first, query by query, with its 95 % interval.
"""
RECOMMEND = """Examples:

    sigscope recommend
    sigscope recommend --recall 0.9 --memory 64
    sigscope recommend --pictures ~/Photos --latency 1 --json

Candidates are tried on samples; queries that nothing was tuned on have the last word.
"""


def evaluate(
    dataset: Annotated[
        str,
        typer.Argument(help="What --pictures takes elsewhere. Left out: the shipped gallery."),
    ] = "",
    protocol: Annotated[
        Literal["captions", "classes", "landmarks", "judged-captions", "films"] | None,
        typer.Option(help="Whose figures to set beside ours. Left out: what fits the data."),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Whose captions or pictures are the queries.")
    ] = "test",
    among: Annotated[
        Literal["all", "split"] | None,
        typer.Option(help="What is searched: the whole gallery, or the split alone."),
    ] = None,
    by: Annotated[
        Literal["language", "dimension"] | None,
        typer.Option(
            help="In place of a report's figures: what captions in other languages find, or what "
            "is lost when only the first numbers of each vector are kept."
        ),
    ] = None,
    model: Model = "",
    as_json: AsJson = False,
) -> None:
    """Print a report's figures beside those of a gallery and model, with 95 % intervals."""
    from sigscope.datasets.load import load_gallery
    from sigscope.embeddings.embed import open_embeddings
    from sigscope.models.encoder import Encoder
    from sigscope.protocols.run import default_protocol, run_protocol, searched_gallery
    from sigscope.search.targets import check_readable

    gallery = load_gallery(dataset or None, progress=shows_bars())
    name = protocol or default_protocol(gallery)
    gallery = searched_gallery(gallery, name, split, among)
    encoder = Encoder.load()
    embeddings = open_embeddings(gallery, encoder, progress=True)
    check_readable(gallery, embeddings)
    if by:
        with waiting(f"Asking {gallery.name} by {by} ..."):
            table = _by(by, gallery, embeddings, encoder, split)
        print_table(table, as_json=as_json)
        return
    with waiting(f"Asking {gallery.name} as protocol {name} does ..."):
        table = run_protocol(name, gallery, embeddings, encoder, split=split)
    print_table(table, as_json=as_json, columns=[n for n in table if n != "depends_on"])


def _by(
    what: str, gallery: "Gallery", embeddings: "Embeddings", encoder: "EncoderLike", split: str
) -> "pd.DataFrame":
    from sigscope.evaluation.dimensions import by_dimension
    from sigscope.evaluation.languages import by_language

    if what == "language":
        return by_language(gallery, embeddings, encoder, split=split)
    return by_dimension(gallery, embeddings, split=split)


def compare(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Two to four: hub names or folders.")
    ],
    pictures: Pictures = "",
    split: Annotated[str, typer.Option(help="Whose captions and pictures ask.")] = "test",
    as_json: AsJson = False,
) -> None:
    """Hold models against each other on one gallery: recall both ways, cost, likeness."""
    from sigscope.datasets.load import load_gallery
    from sigscope.evaluation.model_comparison import compare_models
    from sigscope.search.searcher import Searcher

    gallery = load_gallery(pictures or None, progress=shows_bars())
    searchers = [Searcher.open(gallery, model, progress=True) for model in models]
    with waiting("Asking each model ..."):
        found = compare_models(searchers, split)
    tables = [found.scores, found.costs, found.likeness]
    if as_json:
        names = ("scores", "costs", "likeness")
        parts = (json.loads(table.to_json(orient="records")) for table in tables)
        print_json(dict(zip(names, parts, strict=True)) | {"warnings": found.warnings})
        return
    for table in tables:
        print_table(table)
    for warning in found.warnings:
        print(warning, file=sys.stderr)


def recommend(
    pictures: Pictures = "",
    recall: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the exact neighbours to find.")
    ] = 0.95,
    memory: Annotated[
        float | None, typer.Option(metavar="BYTES", help="At most so many bytes a vector.")
    ] = None,
    latency: Annotated[
        float | None, typer.Option(metavar="MS", help="At most so many ms a query (median).")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Neighbours asked for.")] = 10,
    model: Model = "",
    as_json: AsJson = False,
) -> None:
    """Recommend the fastest index that keeps a budget for a gallery's own vectors."""
    from sigscope.ann.recommend import recommend as choose
    from sigscope.datasets.load import load_gallery
    from sigscope.embeddings.embed import open_embeddings
    from sigscope.gallery.folder import GalleryError
    from sigscope.gallery.walk import count_of
    from sigscope.models.encoder import Encoder
    from sigscope.search.targets import check_readable

    gallery = load_gallery(pictures or None, progress=shows_bars())
    embeddings = open_embeddings(gallery, Encoder.load(), progress=True)
    check_readable(gallery, embeddings)
    asked = {"text": embeddings.captions, "image": embeddings.images}
    asked = {kind: vectors for kind, vectors in asked.items() if len(vectors) >= FEWEST}
    if not asked:
        raise GalleryError(
            f"{gallery.name} has {count_of(len(embeddings), 'picture')} and "
            f"{count_of(len(embeddings.captions), 'caption')} to ask with; indexes are compared by "
            f"{FEWEST} of either, so few need none."
        )
    advice = choose(
        embeddings.images,
        asked,
        recall=recall,
        memory=memory,
        latency=latency,
        k=k,
        progress=shows_bars(),
    )
    if as_json:
        found = {"name": advice.name, "effort": advice.effort, "met": advice.met}
        print_json(found | {"reason": advice.reason})
        return
    print_table(advice.table)
    print(advice.reason, file=sys.stdout if sys.stdout.isatty() else sys.stderr)
