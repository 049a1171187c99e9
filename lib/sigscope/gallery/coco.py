"""COCO's layout: pictures in one list, what is said of them in another, joined by the ids.

Ids are compared as texts and numbers alike. Where several files have one id, a caption goes to the
file that it names itself, or whose id is written as its own is, and otherwise to none.
"""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sigscope.gallery.cells import number_of, text_of, texts_of
from sigscope.gallery.columns import FILES, caption_columns, first_of

UNKNOWN = "no picture that is listed"
PARTS = ("images", "annotations")


@dataclass(frozen=True)
class Said:
    """What one annotation says.

    Attributes:
        number: Its place in the list.
        captions: Texts, [] where it says nothing in words.
        images: The places of its pictures in their list; several are the same file.
        of: Where there is none, what it is of instead, to go on "it is of …".
    """

    number: int
    captions: list[str]
    images: list[int]
    of: str = ""


def parts_of(said: Any) -> list[list[Any]]:
    """Return the pictures and the annotations of COCO's layout, [] where it is another.

    Each may be a list, or a dict by id.
    """
    images, notes = (_listed(said.get(name)) if isinstance(said, dict) else None for name in PARTS)
    are_names = bool(images) and all(isinstance(each, str) for each in images)
    return [] if images is None or notes is None or are_names else [images, notes]


def _listed(part: Any) -> list[Any] | None:
    if isinstance(part, dict) and part and all(isinstance(each, dict) for each in part.values()):
        return [{"id": key, **each} for key, each in part.items()]
    return part if isinstance(part, list) else None


def annotations_of(images: Sequence[Any], annotations: list[Any]) -> Iterator[Said]:
    """Yield what each annotation says, and of which pictures; they are dropped on the way.

    Args:
        images: The pictures; what is no dict is of no annotation.
        annotations: Is filled with None, for memory.
    """
    names = [text_of(each.get("file_name")) if isinstance(each, dict) else "" for each in images]
    by_id: dict[str, list[int]] = defaultdict(list)
    by_name: dict[str, list[int]] = defaultdict(list)
    by_stem: dict[str, list[int]] = defaultdict(list)
    for place, image in enumerate(images):
        if not isinstance(image, dict):
            continue
        if "id" in image:
            by_id[number_of(image["id"])].append(place)
        by_name[names[place]].append(place)
        by_stem[os.path.splitext(names[place].rpartition("/")[2])[0]].append(place)
    for number, note in enumerate(annotations):
        annotations[number] = None
        note = note if isinstance(note, dict) else {}
        captions = [text for name in caption_columns(note) for text in texts_of(note[name])]
        id = number_of(note.get("image_id"))
        file = text_of(note.get(first_of(FILES, note)))
        named = by_name.get(file) if file else None
        found = named or by_id.get(id) or by_stem.get(id) or []
        if len(found) > 1:
            own = str(note.get("image_id"))
            found = [at for at in found if str(images[at].get("id")) == own] or found
        files = sorted({names[place] for place in found})
        if len(files) > 1:
            yield Said(number, captions, [], f"image {id}, as {' and '.join(files[:2])} are called")
        else:
            yield Said(number, captions, found, "" if found else UNKNOWN)
