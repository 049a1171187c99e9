"""Does the model agree with people? Flickr8k's judged pairs of a caption and a picture.

Two figures. Kendall's tau between the cosine of a pair and its grade, as papers on image captions
report it: over all three grades of each expert pair, variant c, pairs with a picture's own caption
left out; over the share of yes in the crowd, variant b (Hessel et al. 2021, "CLIPScore", section
4.1 and tables 1 and 2). And NDCG, with gains 2^grade - 1, of the pictures that the experts judged
for a caption, ranked by cosine; the others are left out of the list (Sakai 2007, "Alternatives to
bpref").
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from sigscope.datasets.judgements import read_judgements
from sigscope.embeddings.load import Embeddings
from sigscope.evaluation.intervals import interval
from sigscope.evaluation.metrics import ndcg_at_k
from sigscope.evaluation.rankings import from_lists, shuffled
from sigscope.evaluation.tasks import check_and_describe
from sigscope.gallery.gallery import Gallery
from sigscope.protocols.published import Row, beside, depends
from sigscope.types import EncoderLike

CLIP_TAU = {"experts": 0.512, "crowd": 0.344}  # CLIP ViT-B/32: Hessel et al. 2021, tables 1, 2
VARIANT = {"experts": "c", "crowd": "b"}
DRAWS = 200
LEAST = 1.0  # the lowest grade of an expert: says nothing about the picture


def judged_captions(
    gallery: Gallery, embeddings: Embeddings, encoder: EncoderLike, *, seed: int = 0
) -> pd.DataFrame:
    """Return the model's agreement with the experts and with the crowd, CLIP's beside it.

    Args:
        gallery: Flickr8k, the judgements among its files; pairs whose picture it lacks are left
            out.
        embeddings: of its pictures.
        encoder: the model that made them; it reads the judged captions.
        seed: of the resamples and of chance.

    Returns:
        A row for each figure, with columns figure, report (CLIP's, as Hessel et al. print it),
        here, low, high (the 95 % interval of here, pictures resampled; captions for NDCG), chance
        and depends_on.

    Raises:
        GalleryError: the judgements are not there.
        StaleEmbeddings: the embeddings are of another gallery or by another model.
        ValueError: none of the judged pictures is in the gallery.
    """
    about = check_and_describe(gallery, embeddings, None, encoder)
    row_of = {id: row for row, id in enumerate(embeddings.ids)}
    rows, chances = [], []
    for people in VARIANT:
        pairs = _with_cosines(read_judgements(gallery.root, people), row_of, embeddings, encoder)
        rows.append(_tau(pairs, people, about, seed))
        chances.append(0.0)
        if people == "experts":
            row, chance = _ndcg(pairs, about, seed)
            rows.append(row)
            chances.append(chance)
    return beside(rows).assign(chance=chances)


def _with_cosines(
    pairs: pd.DataFrame, row_of: dict[str, int], embeddings: Embeddings, encoder: EncoderLike
) -> pd.DataFrame:
    """Return the pairs whose picture is there, with the column cosine."""
    pairs = pairs[pairs["picture"].isin(row_of)].reset_index(drop=True)
    if pairs.empty:
        raise ValueError("none of the judged pictures is in this gallery; give all of Flickr8k")
    number, captions = pd.factorize(pairs["caption"])
    texts = encoder.encode_texts(list(captions))
    images = embeddings.images[pairs["picture"].map(row_of).to_numpy()]
    return pairs.assign(cosine=np.einsum("nd,nd->n", images, texts[number]))


def _tau(pairs: pd.DataFrame, people: str, about: dict, seed: int) -> Row:
    """Return Kendall's tau over single grades, with an interval that resamples pictures."""
    from scipy.stats import kendalltau

    single = pairs[~pairs["own"]].explode("grades") if people == "experts" else pairs
    single = single.explode("grades").astype({"grades": float})
    cosines, grades = single["cosine"].to_numpy(), single["grades"].to_numpy()

    def tau(chosen: np.ndarray) -> float:
        found = kendalltau(cosines[chosen], grades[chosen], variant=VARIANT[people])
        return float(found.statistic)

    low, high = _resampled(tau, single["picture"].to_numpy(), np.random.default_rng(seed))
    return Row(
        f"Kendall's tau-{VARIANT[people]}, {people}",
        depends(about, f"{len(single):,} judgements of {single['picture'].nunique():,} pictures"),
        CLIP_TAU[people],
        tau(np.arange(len(single))),
        low,
        high,
    )


def _resampled(
    statistic: Callable[[np.ndarray], float], clusters: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the percentile interval of a statistic of rows, whole clusters drawn."""
    order = np.argsort(clusters, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(pd.factorize(clusters[order])[0])) + 1)
    drawn = (rng.integers(len(members), size=len(members)) for _ in range(DRAWS))
    values = [statistic(np.concatenate([members[i] for i in chosen])) for chosen in drawn]
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def _ndcg(pairs: pd.DataFrame, about: dict, seed: int) -> tuple[Row, float]:
    """Return the row of NDCG over captions that some judged picture fits, and its chance."""
    pairs = pairs.drop_duplicates(["caption", "picture"])
    grade = pairs["grades"].map(np.mean) - LEAST
    ranked = pairs.assign(grade=grade).sort_values("cosine", ascending=False, kind="stable")
    lists = [table for _, table in ranked.groupby("caption") if table["grade"].max() > 0]
    values, chances, rng = [], [], np.random.default_rng(seed)
    for table in lists:
        grades = table["grade"].to_numpy()
        right = np.flatnonzero(grades > 0)
        found = from_lists(
            np.arange(len(table))[None],
            [right],
            len(table),
            scores=table["cosine"].to_numpy()[None],
            grades=[grades[right]],
        )
        values.append(ndcg_at_k(found)[0])
        chances.append(ndcg_at_k(shuffled(found, rng))[0])
    low, high = interval(np.array(values), np.arange(len(values)), np.random.default_rng(seed))
    about_lists = f"{len(lists):,} captions, {np.mean([len(t) for t in lists]):.1f} pictures judged"
    row = Row(
        "NDCG of the judged pictures, experts",
        depends(about, about_lists),
        here=float(np.mean(values)),
        low=low,
        high=high,
    )
    return row, float(np.mean(chances))
