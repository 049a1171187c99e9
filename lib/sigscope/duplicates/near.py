"""Near duplicates: pictures that show the same, pixel for pixel, but for size, quality and edges.

Found are copies that were resized, recompressed, cropped by a few per cent or turned grey. Not
found, and not meant to be, are copies that were mirrored, turned, recoloured or made brighter, and
other pictures of one thing. Embeddings may only propose a pair; pixels decide.

The thresholds were chosen on the shipped gallery, from sheets of its pairs in order of likeness. In
that order 9 pairs come to 0.7: 7 are one drawing under two names, one is a drawing and its grey
version, and in one a small word differs (0.50). Above stand road signs drawn anew (0.75 to 0.9),
then a lamp that is lit and one that is not, a map with state boundaries and one without (0.97), a
pair of kings and one of queens (1.25). Flags of Chad and Romania are at 0.75, a 6 and an 8 in a
series of numbers at 0.79.
"""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from sigscope.duplicates.alignment import align, blurred, colour_difference, difference, inverse
from sigscope.images.prefetch import prefetch
from sigscope.images.read import PictureError, open_picture

NEAR = 0.7  # the most that a copy differs by; see `alignment.difference`
NEAR_GREY = 0.4  # where one is grey and the other is not
COLOURS = 11  # levels of chroma, of 255, that JPEG may lose
COLOURLESS = 8  # levels of chroma up to which a picture is grey
AT_FIRST_GLANCE = 2.0  # the most that two signatures of copies differ by
ASPECT = 0.2  # the most that the logarithms of width / height differ by
SIDE = 64
CHUNK, HELD = 256, 4096  # pairs at once; pictures held
FIRST_BLURS, CLOSE_BLURS = ((2.0, 3), (1.0, 3)), ((1.5, 2), (0.8, 2))  # pixels, steps


def likeness(differences: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + difference): 1 for the same, 0.59 for the least alike that are duplicates."""
    return 1 / (1 + np.asarray(differences))


class CloserLook:
    """Tells which of some pairs of pictures are copies of one another.

    Attributes:
        files: of n pictures.
        luma: their signatures, (n, 32, 32).
        aspect: their width / height, (n,).
    """

    def __init__(self, files: Sequence[Path], luma: np.ndarray, aspect: np.ndarray) -> None:
        """Look at nothing yet."""
        self.files, self.luma, self.aspect = files, luma, aspect
        self._held: OrderedDict[int, np.ndarray] = OrderedDict()

    def differences(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Return how far each pair differs, float32, (m,); inf for pairs that are no copies."""
        found = np.full(len(i), np.inf, np.float32)
        near = np.abs(np.log(self.aspect[i] / self.aspect[j])) <= ASPECT
        rows = np.flatnonzero(near)
        chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
        glances = list(prefetch(lambda rows: self._glance(rows, i[rows], j[rows]), chunks))
        for pairs, under, over, places in _of_size(glances):
            found[pairs] = _compared(self._close(under), self._close(over), places)
        return found

    def _glance(
        self, pairs: np.ndarray, i: np.ndarray, j: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the pairs whose signatures are alike: numbers, under, over, place of over.

        The one that shows less lies under, so that the other covers it.
        """
        a, b = (self.luma[rows].astype(np.float32) for rows in (i, j))
        places = np.zeros((len(i), 4))
        for sigma, steps in FIRST_BLURS:
            places = align(blurred(a, sigma), blurred(b, sigma), places, steps)
        turn = places[:, 0] + places[:, 2] > 0
        places = np.where(turn[:, None], inverse(places), places)
        a, b = np.where(turn[:, None, None], b, a), np.where(turn[:, None, None], a, b)
        alike = difference(a, b, places) <= AT_FIRST_GLANCE
        under, over = np.where(turn, j, i), np.where(turn, i, j)
        return pairs[alike], under[alike], over[alike], places[alike]

    def _close(self, rows: np.ndarray) -> np.ndarray:
        """Return pictures as luma and chroma, float32, (m, 3, SIDE, SIDE)."""
        missing = [row for row in dict.fromkeys(rows.tolist()) if row not in self._held]
        for row, picture in zip(missing, prefetch(self._opened, missing), strict=True):
            self._held[row] = picture
        pictures = np.stack([self._held[row] for row in rows.tolist()]).astype(np.float32)
        while len(self._held) > HELD:
            self._held.popitem(last=False)
        return pictures

    def _opened(self, row: int) -> np.ndarray:
        """Return a picture's luma and chroma; nan, which is like nothing, if it is gone by now."""
        try:
            picture = open_picture(self.files[row], max_side=2 * SIDE)
        except PictureError:
            return np.full((3, SIDE, SIDE), np.nan, np.float32)
        small = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR).convert("YCbCr")
        return np.asarray(small).transpose(2, 0, 1)


def _of_size(glances: list) -> list:
    """Return the same pairs in fewer, fuller chunks."""
    if not glances:
        return []
    whole = [np.concatenate(parts) for parts in zip(*glances, strict=True)]
    starts = range(0, len(whole[0]), CHUNK)
    return [tuple(part[start : start + CHUNK] for part in whole) for start in starts]


def _compared(under: np.ndarray, over: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the differences of pairs, inf where they are more than a copy's, (m,)."""
    a, b = under[:, 0], over[:, 0]
    for sigma, steps in CLOSE_BLURS:
        places = align(blurred(a, sigma), blurred(b, sigma), places, steps)
    apart = difference(a, b, places)
    colours = colour_difference(under[:, 1:], over[:, 1:], places)
    most = [np.abs(x[:, 1:] - 128).max(axis=(1, 2, 3)) for x in (under, over)]
    one_grey = np.minimum(*most) < COLOURLESS
    same = (colours <= COLOURS) & (apart <= NEAR) | one_grey & (apart <= NEAR_GREY)
    return np.where(same, apart, np.inf)
