"""Layouts: the records of a JSON file, however a program lays them out."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from sigscope.gallery.cells import number_of, text_of
from sigscope.gallery.coco import annotations_of, parts_of
from sigscope.gallery.columns import FILES, SPLITS, WORDS, caption_columns, first_of
from sigscope.gallery.folder import suffix_of
from sigscope.gallery.walk import count_of
from sigscope.images.formats import SUFFIXES

TURNS = ("conversations", "conversation", "messages")
ANSWERS = ("gpt", "assistant", "model")


def listed_in(said: Any) -> Iterable[Any]:
    """Return the records of a JSON file, however it lays them out."""
    if _is_dict(said) and said.keys() == {"labels"} and _is_list(said["labels"]):  # by StyleGAN
        said = said["labels"]
    if isinstance(said, list):
        return [row for record in said for row in rows_of(record)]
    if not isinstance(said, dict):
        return []
    if parts := parts_of(said):
        return _of_coco(*parts, said.get("categories"))
    if isinstance(said.get("columns"), list) and isinstance(said.get("data"), list):  # by pandas
        return [
            dict(zip(said["columns"], row, strict=False)) for row in filter(_is_list, said["data"])
        ]
    if _is_dict(said.get("labels")) and said.keys() <= {"classes", "labels"}:  # by FiftyOne
        return _of_fiftyone(said["labels"], said.get("classes"))
    lists = {name: value for name, value in said.items() if isinstance(value, list)}
    named = {name: value for name, value in lists.items() if _holds_records(value)}
    if named:  # {"images": [{…}, …]}, or {"train": [{…}, …], "test": [{…}, …]}
        return [row for name, rows in named.items() for row in _of_split(name, rows)]
    inner = [value for value in said.values() if _is_dict(value)]
    if len(inner) == len(said) and first_of(FILES, said):  # {"image": {"0": "a.jpg", …}, …}, too
        return [{name: said[name].get(key) for name in said} for key in inner[0]]
    if len(inner) == 1 and _holds_rows(inner[0]):  # {"data": {"train": […]}}
        return listed_in(inner[0])
    if len(lists) > 1 and len(lists) == len(said) and _are_columns(lists):
        return [dict(zip(lists, row, strict=False)) for row in zip(*lists.values(), strict=False)]
    if "file_name" in said:
        return [said]
    return [
        {"file_name": name, **(value if isinstance(value, dict) else {"text": value})}
        for name, value in said.items()
    ]  # {"a.jpg": "a cat"}


def _holds_rows(said: dict[str, Any]) -> bool:
    """Return whether a dict holds lists of records, or is one by the names of files."""
    return any(map(_holds_records, said.values())) or bool(said) and all(map(_is_file, said))


def _are_columns(lists: dict[str, list[Any]]) -> bool:
    """Return whether lists are columns of a table: {"file_name": […], "text": […]}."""
    cells = [value for values in lists.values() for value in values[:1]]
    return bool(first_of(FILES, lists) or caption_columns(lists)) or any(map(_is_file, cells))


def _of_coco(images: list[Any], annotations: list[Any], categories: Any) -> list[Any]:
    """Return the pictures that COCO's layout lists, each with its captions and its one category.

    Captions that are of none of them are a ValueError among the records, with the reason.
    """
    named = {
        number_of(each.get("id")): text_of(each.get("name"))
        for each in filter(_is_dict, categories if _is_list(categories) else [])
    }
    kinds: dict[str, set[str]] = defaultdict(set)
    for note in filter(_is_dict, annotations):
        if kind := named.get(number_of(note.get("category_id"))):
            kinds[number_of(note.get("image_id"))].add(kind)
    captions: dict[int, list[str]] = defaultdict(list)
    strays: Counter[str] = Counter()
    for note in annotations_of(images, annotations):
        for place in note.images:
            captions[place] += note.captions
        if note.captions and note.of:
            strays[note.of] += len(note.captions)
    rows = []
    for place, row in enumerate(images):
        further = {"captions": captions[place]} if captions.get(place) else {}
        if _is_dict(row) and len(kind := kinds[number_of(row.get("id"))]) == 1:
            further["category"] = next(iter(kind))
        rows.append({**row, **further} if _is_dict(row) else row)
    lost = [ValueError(f"{count_of(n, 'caption')} of {of}: not used") for of, n in strays.items()]
    return [*rows, *lost]


def _of_fiftyone(labels: dict[str, Any], classes: Any) -> list[Any]:
    """Return the files with their classes, which may be numbers in a list of names."""
    names = dict(enumerate(classes)) if _is_list(classes) else {}
    return [
        {"file_name": file, "label": names.get(label, label) if isinstance(label, int) else label}
        for file, label in labels.items()
    ]


def rows_of(record: Any) -> list[Any]:
    """Return the files that a record lists, as Instagram's export does, or the record itself.

    A file and its label or text may also be a list, and a caption an answer in a conversation.
    """
    if _is_list(record) and len(record) > 1 and _is_file(record[0]):
        file, said, *rest = record
        row = {"file_name": file, "label" if isinstance(said, int) else "text": said}
        return [row | {f"column {at}": each for at, each in enumerate(rest, start=3)}]
    if _is_dict(record) and record and all(map(_is_file, record)):  # {"a.jpg": "a cat"}
        return list(listed_in(record))
    if _is_dict(record) and len(record) == 1 and _is_dict(inner := next(iter(record.values()))):
        return rows_of(inner)
    record = with_answer(record) if _is_dict(record) else record
    for name, value in record.items() if _is_dict(record) else ():
        if _holds_records(value) and any(map(_is_file, value[0].values())):
            rest = {other: said for other, said in record.items() if other != name}
            said = [{k: v for k, v in row.items() if v != ""} for row in value if _is_dict(row)]
            return [{**rest, **row} for row in said]
    return [record]


def with_answer(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with the one answer of a conversation, as LLaVA is taught, for a caption."""
    turns = next((record[name] for name in TURNS if _holds_records(record.get(name))), [])
    answers = [
        each.get("content", each.get("value"))
        for each in filter(_is_dict, turns)
        if each.get("role", each.get("from")) in ANSWERS
    ]
    said = text_of(answers[0]) if len(answers) == 1 else ""
    if not said or said.isascii() and len(said.split()) < WORDS:  # Yes.
        return record
    rest = {name: value for name, value in record.items() if name not in TURNS}
    return {"caption": said, **rest}


def _is_file(value: Any) -> bool:
    return isinstance(value, str) and suffix_of(value) in SUFFIXES and "://" not in value


def _of_split(name: str, rows: list[Any]) -> list[Any]:
    """Return records with the split that their list is called, and FiftyOne's class as a label."""
    further = {"split": name} if name.lower() in SPLITS else {}
    rows = [each for row in rows for each in rows_of(row)]
    return [{**further, **_labelled(row), **row} if _is_dict(row) else row for row in rows]


def _labelled(row: dict[str, Any]) -> dict[str, Any]:
    found = [each for each in row.values() if _is_dict(each)]
    classes = [each.get("label") for each in found if each.get("_cls") == "Classification"]
    return {"label": classes[0]} if classes else {}


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _holds_records(value: Any) -> bool:
    return _is_list(value) and bool(value) and _is_dict(value[0])


def _is_list(value: Any) -> bool:
    return isinstance(value, list)
