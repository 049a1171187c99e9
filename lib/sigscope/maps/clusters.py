"""Clusters: groups of pictures that lie together on a map, named after their captions.

HDBSCAN is run on the map, not on the vectors, and takes the leaves of its tree. On the shipped
gallery the vectors themselves leave half to two thirds of the pictures unclustered, where the map
leaves a third, and leaves stay the same from seed to seed better than HDBSCAN's default choice.
So a cluster says what the map shows, and is only as faithful as the map is.

A name is the words with the largest class-based TF-IDF (Grootendorst 2022, "BERTopic", eq. 2):

    weight(word, cluster) = share of the cluster's pictures with the word * log(1 + A / count(word))

where A is the mean number of words of a cluster and count(word) is taken over all pictures, a
picture's word counting once however many captions repeat it. Stop words are English.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NOISE = "(unclustered)"
WORDS = 2  # in a name; more where another cluster has these
LARGEST_NUMBER = 150  # a cluster has at least one 150th of the pictures, so labels stay readable
SMALLEST = 10
WORD = r"(?u)\b[^\W\d_]{2,}\b"


@dataclass(frozen=True, eq=False)
class Clusters:
    """Groups of a map's points.

    Attributes:
        labels: the number of each point's cluster, int32, (n,); -1 is in none.
        names: of the clusters, each once.
        centres: float32, (clusters, 2 or 3): the point of each that lies nearest its middle.
    """

    labels: np.ndarray
    names: list[str]
    centres: np.ndarray

    def __len__(self) -> int:
        """Return the number of clusters."""
        return len(self.names)

    def of_points(self) -> np.ndarray:
        """Return the name of each point's cluster, or "(unclustered)", (n,)."""
        names = np.array([*self.names, NOISE], dtype=object)
        return names[self.labels]

    def sizes(self) -> np.ndarray:
        """Return the number of points in each cluster, int64."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self))

    def record(self) -> dict:
        """Return names and centres for JSON; labels are kept as an array."""
        return {"names": self.names, "centres": self.centres.astype(float).tolist()}

    @classmethod
    def from_record(cls, labels: np.ndarray, record: dict) -> "Clusters":
        """Return the clusters that `record` wrote."""
        names, centres = record["names"], np.asarray(record["centres"], np.float32)
        if labels.max(initial=-1) >= len(names) or len(centres) != len(names):
            raise ValueError(f"{len(names)} names do not fit the clusters' labels")
        return cls(labels, names, centres)


def find_clusters(places: np.ndarray, captions: Sequence[Sequence[str]]) -> Clusters:
    """Return the groups of the points at these places, named after their captions.

    Args:
        places: of the pictures, (n, 2) or (n, 3).
        captions: the captions of each, perhaps none.
    """
    if len(places) != len(captions):
        raise ValueError(f"{len(places)} places and {len(captions)} lists of captions")
    labels = group(places)
    names = _name_groups(labels, [" \n ".join(texts) for texts in captions])
    return Clusters(labels, names, _centres(places, labels))


def group(places: np.ndarray) -> np.ndarray:
    """Return the cluster of each place, numbered from 0, the largest first; int32, -1 for none.

    Fewer than 20 places, or places that are all the same, are in no cluster.
    """
    smallest = max(SMALLEST, len(places) // LARGEST_NUMBER)
    none = np.full(len(places), -1, np.int32)
    if len(places) < 2 * smallest or not np.ptp(places, axis=0).any():
        return none
    from sklearn.cluster import HDBSCAN

    method = HDBSCAN(
        min_cluster_size=smallest,
        min_samples=min(10, smallest),
        cluster_selection_method="leaf",
        copy=True,
    )
    found = method.fit_predict(np.asarray(places, np.float64))
    order = np.argsort(-np.bincount(found[found >= 0]), kind="stable")
    renumbered = np.append(np.argsort(order), -1)
    return renumbered[found].astype(np.int32)


def _name_groups(labels: np.ndarray, texts: Sequence[str], words: int = WORDS) -> list[str]:
    """Return a name for each cluster, no two the same.

    Args:
        labels: the cluster of each text, -1 for none.
        texts: all captions of a picture in one.
        words: how many a name has, where there are so many.
    """
    clusters = int(np.max(labels, initial=-1)) + 1
    ranked = _ranked_words(labels, texts, clusters)
    names: list[str] = []
    for number, candidates in enumerate(ranked, 1):
        names.append(new_name(candidates, words, number, set(names)))
    return names


def new_name(candidates: list[str], words: int, number: int, taken: set[str]) -> str:
    """Return the first words as a name, with further ones while it is taken."""
    for count in range(words, len(candidates) + 1):
        name = ", ".join(candidates[:count])
        if name not in taken:
            return name
    name = ", ".join(candidates[:words])
    if name and name not in taken:
        return name
    return f"{name} (group {number})" if name else f"group {number}"


def _ranked_words(labels: np.ndarray, texts: Sequence[str], clusters: int) -> list[list[str]]:
    """Return each cluster's words, the weightiest first, one of each stem."""
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(stop_words="english", token_pattern=WORD, binary=True)
    try:
        found = counter.fit_transform(texts)
    except ValueError:  # there is not one word in all texts
        return [[] for _ in range(clusters)]
    vocabulary = counter.get_feature_names_out()
    of_clusters = [np.asarray(found[labels == number].sum(axis=0))[0] for number in range(clusters)]
    counts = np.asarray(found.sum(axis=0))[0]
    mean_words = np.mean([row.sum() for row in of_clusters]) if clusters else 0
    rare = np.log1p(mean_words / counts)
    sizes = np.bincount(labels[labels >= 0], minlength=clusters)
    return [
        _weightiest(row / size * rare, row, vocabulary)
        for row, size in zip(of_clusters, sizes, strict=True)
    ]


def _weightiest(weights: np.ndarray, counts: np.ndarray, vocabulary: np.ndarray) -> list[str]:
    """Return up to 12 words with a weight; a word that one picture alone has comes last."""
    order = np.lexsort((vocabulary, -weights, counts < 2))
    chosen: list[str] = []
    for word in vocabulary[order[weights[order] > 0]][:50]:
        if len(chosen) < 12 and not any(_same_stem(word, other) for other in chosen):
            chosen.append(str(word))
    return chosen


def _same_stem(a: str, b: str) -> bool:
    """Return whether one word is the other with a short ending, as in flag, flags, flagged."""
    short, long = sorted((a, b), key=len)
    return len(short) > 2 and long.startswith(short) and len(long) - len(short) <= 3


def _centres(places: np.ndarray, labels: np.ndarray) -> np.ndarray:
    centres = np.empty((int(labels.max(initial=-1)) + 1, places.shape[1]), np.float32)
    for number in range(len(centres)):
        own = places[labels == number]
        off = np.linalg.norm(own - np.median(own, axis=0), axis=1)
        centres[number] = own[np.argmin(off)]
    return centres
