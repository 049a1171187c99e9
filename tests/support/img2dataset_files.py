"""Shards as img2dataset writes them."""

import io
import json
import tarfile

import pandas as pd
from hostile_server import encoded

JPEG = encoded("JPEG", (32, 24))


def row(key, status="success", **more):
    """A row as img2dataset 1.47 writes it: what it does not know is null."""
    is_success = status == "success"
    size = 24 if is_success else None
    return {
        "url": f"http://photos.test/{key}.jpg",
        "caption": f"picture {key}",
        "key": key,
        "status": status,
        "error_message": None if is_success else "HTTP Error 404: Not Found",
        **dict.fromkeys(("width", "height", "original_width", "original_height"), size),
        "exif": "{}" if is_success else None,
        "sha256": "0" * 64 if is_success else None,
        **more,
    }


def write_table(root, shard, rows):
    root.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(root / f"{shard}.parquet")
    statistics = {"count": len(rows), "successes": 1, "failed_to_download": 1}
    (root / f"{shard}_stats.json").write_text(json.dumps(statistics))


def write_files(root, shard, rows):
    write_table(root, shard, rows)
    (root / shard).mkdir()
    for each in rows:
        if each["status"] == "success":
            (root / shard / f"{each['key']}.jpg").write_bytes(JPEG)
            (root / shard / f"{each['key']}.txt").write_text(each["caption"])
            (root / shard / f"{each['key']}.json").write_text(json.dumps(each, indent=4))


def write_tar(root, shard, rows, *more):
    root.mkdir(parents=True, exist_ok=True)
    files = list(more)
    for each in rows:
        for suffix, data in (
            ("jpg", JPEG),
            ("json", json.dumps(each, indent=4).encode()),
            ("txt", each["caption"].encode()),
        ):
            files.append((f"{each['key']}.{suffix}", data))
    with tarfile.open(root / f"{shard}.tar", "w") as tar:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
