"""Oxford Buildings and Paris: landmarks whose pictures are good, ok or junk.

It is judged as the Oxford group does (Philbin et al. 2007): good and ok are right; junk, of
which less than a quarter is visible, is taken out of the list before places are counted, so that it
counts neither way. The query's own picture is among the good ones in the group's ground truth, and
stays there.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from sigscope.datasets.landmarks import load_oxford5k
from sigscope.embeddings.load import Embeddings
from sigscope.evaluation.metrics import measured
from sigscope.evaluation.rankings import Rankings
from sigscope.evaluation.tasks import check_and_describe
from sigscope.gallery.gallery import Gallery
from sigscope.indexes.exact import exact_neighbours
from sigscope.protocols.published import R2_MAP, Outcome, Row, beside, depends
from sigscope.types import EncoderLike

COLLECTIONS = {"oxford5k": "Oxford", "paris6k": "Paris"}  # what R2 calls our galleries
PREFIX = "oxc1_"  # of Oxford's pictures in the files of queries, and nowhere else
QUERY = "_query.txt"
KINDS = ("good", "ok", "junk")
PRACTICE = {  # landmarks among the drawings of the shipped gallery: good | ok | junk
    "eiffel": "eiffel-tower the-eiffel-tower-in-paris | |",
    "lighthouse": "a-lighthouse lighthouse | |",
    "castle": "castle a-castle-in-ruins a-fairytale-castle | map-symbol-of-a-castle | sand-castle",
}


@dataclass(frozen=True)
class Landmark:
    """The ground truth of one query: names of pictures."""

    good: frozenset[str]
    ok: frozenset[str] = frozenset()
    junk: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, good: Iterable[str], ok: Iterable[str] = (), junk: Iterable[str] = ()
    ) -> "Landmark":
        """Return the ground truth of these lists; ValueError if a picture is in two of them."""
        found = cls(frozenset(good), frozenset(ok), frozenset(junk))
        both = (found.good | found.ok) & found.junk
        if both:
            raise ValueError(f"{min(both)!r} is both right and junk; check the ground truth")
        return found

    @property
    def right(self) -> frozenset[str]:
        """Good and ok."""
        return self.good | self.ok


@dataclass(frozen=True)
class LandmarkQuery:
    """A query of the group: a part of a picture, and what is right for it.

    Attributes:
        id: "all_souls_1"; the five of a landmark differ in their number.
        picture: The id of its picture, "all_souls_000013".
        box: Left, top, right and bottom of the landmark, in pixels from the picture's top left.
        truth: Which pictures are good, ok and junk.
    """

    id: str
    picture: str
    box: tuple[float, float, float, float]
    truth: Landmark

    def cropped(self, gallery: Gallery) -> Image.Image:
        """Return the part of the picture that is asked for, whole pixels, no larger than it is.

        Raises:
            ValueError: The box lies outside the picture.
            GalleryError, PictureError: The gallery has no such picture, or it cannot be opened.
        """
        picture = gallery.picture(self.picture)
        left, top, right, bottom = (round(edge) for edge in self.box)
        left, top = max(left, 0), max(top, 0)
        right, bottom = min(right, picture.width), min(bottom, picture.height)
        if left >= right or top >= bottom:
            size = f"{picture.width} × {picture.height}"
            raise ValueError(f"the box {self.box} of {self.id} lies outside its picture ({size})")
        return picture.crop((left, top, right, bottom))


def trapezoid_average_precision(ranked: Rankings) -> np.ndarray:
    """Return AP as the Oxford group's compute_ap does: the area under straight lines, in [0, 1].

    Recall rises by 1 / R at each right answer found, at place p_j, and counts with the mean of the
    precision there, j / p_j, and just before, (j - 1) / (p_j - 1), which is 1 before the first
    place. So it lies below `metrics.average_precision` wherever a wrong answer stands before a
    right one. Places are those left when junk is taken out.

    Returns:
        One number per query, float64, shape (q,); nan where nothing is right.
    """
    j, p = ranked.order, ranked.places
    before = np.where(p > 1, (j - 1) / np.maximum(p - 1, 1), 1.0)
    sums = np.bincount(ranked.query, weights=(before + j / p) / 2, minlength=len(ranked))
    return np.where(ranked.n_right > 0, sums / np.maximum(ranked.n_right, 1), np.nan)


def rank_landmarks(
    rankings: Mapping[str, Sequence[str]], truths: Mapping[str, Landmark]
) -> Rankings:
    """Return where the right pictures stand once junk is taken out, queries in truths' order.

    Args:
        rankings: for each query the names of pictures, best first; a right one that is missing
            counts as not found.
        truths: the ground truth of each query.

    Raises:
        ValueError: a query has no ranking, or a ranking names a picture twice.
    """
    missing = sorted(set(truths) - set(rankings))
    if missing:
        raise ValueError(f"{len(missing)} queries have no ranking, the first {missing[0]!r}")
    places, sizes, n = [], [], 0
    for query, truth in truths.items():
        ranked = list(rankings[query])
        if len(set(ranked)) != len(ranked):
            raise ValueError(f"the ranking of {query!r} names a picture twice")
        kept = [name for name in ranked if name not in truth.junk]
        found = [place for place, name in enumerate(kept, 1) if name in truth.right]
        places.append(np.array(found, dtype=np.int64))
        sizes.append(len(truth.right))
        n = max(n, len(kept))
    flat = np.concatenate([np.empty(0, np.int64), *places])
    query = np.repeat(np.arange(len(places)), [len(found) for found in places])
    n_right = np.array(sizes, dtype=np.int64)
    return Rankings(flat, query, np.ones(flat.size), n_right, np.ones(n_right.sum()), n)


def landmark_map(
    gallery: Gallery,
    embeddings: Embeddings,
    encoder: EncoderLike,
    *,
    crop: bool = True,
    ks: Sequence[int] = (5, 10, 20, 50),
    seed: int = 0,
) -> Outcome:
    """Return the Oxford group's mAP, and R2's mAP@k over the right pictures found, beside R2's.

    The queries lie in the gallery's folder, or in one below it: all_souls_1_query.txt, a line with
    a picture and its box, and all_souls_1_good.txt, _ok.txt and _junk.txt, a name a line. All of
    the gallery is searched. Intervals draw landmarks: all_souls_1 to all_souls_5 are one.

    Args:
        gallery: Oxford5k or Paris6k; of another one R2 says nothing.
        embeddings: of the whole gallery.
        encoder: the model that made the embeddings.
        crop: search with what lies in the box, as the group does, or with the whole picture.
        ks: the k of mAP@k.
        seed: of the bootstrap.

    Raises:
        StaleEmbeddings: the embeddings are of another gallery or by another model.
        ValueError: there are no queries, those of more than one collection, or one not whole.
    """
    queries = _landmark_queries(gallery.root)
    about = check_and_describe(gallery, embeddings, None, encoder)
    asked = [one.cropped(gallery) if crop else gallery.picture(one.picture) for one in queries]
    found = exact_neighbours(embeddings.images, encoder.encode_pictures(asked), len(embeddings))
    rankings = {one.id: embeddings.ids[rows] for one, rows in zip(queries, found, strict=True)}
    truths = {one.id: one.truth for one in queries}
    return Outcome(*_scored(rankings, truths, about, ks, seed), about)


def practice_landmarks(gallery: Gallery, folder: str | Path) -> Gallery:
    """Write a small Oxford of drawings, with files of queries as the group's, and return it.

    Args:
        gallery: the shipped one, whose drawings of buildings it is made of.
        folder: an empty one.
    """
    items, root, called = gallery.items, Path(folder), {}
    chosen = (items["category"] == "buildings") | (items["caption"] == "map symbol of a castle")
    for number, id in enumerate(items.loc[chosen, "id"]):
        called[Path(id).stem] = name = f"building_{number:06}"
        gallery.picture(id).save(root / f"{name}.jpg", quality=95)
    for landmark, words in PRACTICE.items():
        lists = [[called[stem] for stem in part.split()] for part in words.split("|")]
        for number, query in enumerate(lists[0], 1):
            files = dict(zip(KINDS, lists, strict=True)) | {
                "query": [f"{PREFIX}{query} 0 0 999 999"]
            }
            for kind, lines in files.items():
                path = root / f"{landmark}_{number}_{kind}.txt"
                path.write_text("\n".join(lines), encoding="utf-8")
    return load_oxford5k(root)


def _landmark_queries(folder: str | Path) -> list[LandmarkQuery]:
    """Return the queries in a folder, or in the one folder below it that has some, by name."""
    files = sorted(Path(folder).expanduser().rglob(f"*{QUERY}"))
    folders = sorted({str(file.parent) for file in files})
    if not folders:
        raise ValueError(
            f"{folder} has no files *{QUERY}; download the ground truth (gt_files_170407.tgz for "
            "Oxford, paris_120310.tgz for Paris) and unpack it there"
        )
    if len(folders) > 1:
        raise ValueError(f"{folder} has queries in {' and '.join(folders)}; give one of them")
    return [_query(file) for file in files]


def _scored(
    rankings: Mapping[str, Sequence[str]],
    truths: Mapping[str, Landmark],
    about: dict,
    ks: Sequence[int],
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table of report beside here, and that of the queries."""
    ranked = rank_landmarks(rankings, truths)
    table = pd.DataFrame({"id": list(truths), "n_right": ranked.n_right, "rank": ranked.first})
    table.insert(1, "landmark", [re.sub(r"_\d+$", "", name) for name in truths])
    table["mAP"] = trapezoid_average_precision(ranked)
    for k in ks:
        table[f"mAP@{k}"] = measured(ranked, f"AP of found@{k}")
    collection = COLLECTIONS.get(about["gallery"], about["gallery"])
    said = R2_MAP.set_index("k").get(collection, pd.Series(dtype=float))
    known = table[table["n_right"] > 0]
    landmarks = f"{len(known)} queries of {known['landmark'].nunique()} landmarks"
    rows = []
    for k in [0, *ks]:
        name = f"mAP@{k}" if k else "mAP"
        how = "divided by right pictures found" if k else "trapezoids, as compute_ap"
        rows.append(
            Row.mean(
                f"{name}, {collection}",
                depends(about, landmarks, how, "junk taken out"),
                known[name],
                known["landmark"],
                seed=seed,
                report=said.get(k, np.nan),
                k=k,
            )
        )
    return beside(rows), table


def _query(file: Path) -> LandmarkQuery:
    """Read a line like oxc1_all_souls_000013 136.5 34.1 648.5 955.7, and the truth beside it."""
    cells = file.read_text(encoding="utf-8").split()
    try:
        picture, box = cells[0], tuple(float(cell) for cell in cells[1:])
        left, top, right, bottom = box
        if not (left < right and top < bottom):
            raise ValueError
    except (IndexError, ValueError):
        raise ValueError(
            f"{file} says {' '.join(cells)!r}, which is no picture and its box (left, top, right, "
            "bottom); unpack the ground truth again"
        ) from None
    id, picture = file.name.removesuffix(QUERY), picture.removeprefix(PREFIX)
    truth = Landmark.of(*(_list(file.with_name(f"{id}_{kind}.txt")) for kind in KINDS))
    return LandmarkQuery(id, picture, (left, top, right, bottom), truth)


def _list(file: Path) -> list[str]:
    if not file.exists():
        raise ValueError(f"{file.parent} lacks {file.name}; unpack the ground truth again")
    return file.read_text(encoding="utf-8").split()
