"""Files of data sets, written as their publishers write them."""

import json
from pathlib import Path

import pandas as pd
from PIL import Image
from toy import ToyEncoder

COLOURS = ["a red car", "a green tree", "a blue sky", "a yellow sun"]


def pictures(root: Path, *names: str, size=(8, 6)) -> Path:
    """Write a picture of each name (with folders) below root, each in another grey."""
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (10 * number % 256,) * 3).save(root / name, "JPEG")
    return root


def write(path: Path, content) -> Path:
    """Write text, bytes, or anything else as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, str | bytes):
        content = json.dumps(content)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def coco_file(root: Path, edition: str, images: dict[int, str], captions: list[tuple[int, str]]):
    """Write annotations/captions_<edition>.json with all the keys that it has."""
    records = [
        {
            "license": 4,
            "file_name": name,
            "coco_url": f"http://images.cocodataset.org/{edition}/{name}",
            "height": 427,
            "width": 640,
            "date_captured": "2013-11-14 17:02:52",
            "flickr_url": "http://farm7.staticflickr.com/6116/6255196340_da26cf2c9e_z.jpg",
            "id": number,
        }
        for number, name in images.items()
    ]
    notes = [
        {"image_id": image, "id": number, "caption": text}
        for number, (image, text) in enumerate(captions)
    ]
    said = {"info": {"year": 2017}, "images": records, "licenses": [], "annotations": notes}
    return write(root / "annotations" / f"captions_{edition}.json", said)


def karpathy_file(path: Path, images: list[dict]) -> Path:
    """Write dataset_*.json; of each image its filename, split and raw captions are given."""
    records = [
        {
            "sentids": list(range(len(image["raw"]))),
            "imgid": number,
            "sentences": [
                {"tokens": text.lower().split(), "raw": text, "imgid": number, "sentid": place}
                for place, text in enumerate(image.pop("raw"))
            ],
            **image,
        }
        for number, image in enumerate(images)
    ]
    return write(path, {"images": records, "dataset": path.stem.removeprefix("dataset_")})


def items(gallery, *columns: str) -> dict:
    """Return the cells of these columns by id; of one column alone the cell itself."""
    table = gallery.items.set_index("id")[list(columns)]
    cells = (row[0] if len(columns) == 1 else row for row in table.itertuples(False, None))
    return dict(zip(table.index, cells, strict=True))


def problems(gallery) -> dict[str, str]:
    return dict(gallery.problems.itertuples(index=False, name=None))


def r5_table(path, texts=COLOURS, scale=7.0, description="Description", encoder=None) -> Path:
    """Write the table as R5's script does: pandas, lists of floats of no particular length."""
    vectors = scale * (encoder or ToyEncoder()).encode_texts(texts)
    table = pd.DataFrame(
        {
            description: texts,
            "Image Embedding": [row.tolist() for row in vectors],
            "Text Embedding": [(2 * row).tolist() for row in vectors],
        }
    )
    table.to_csv(path, index=False)
    return path
