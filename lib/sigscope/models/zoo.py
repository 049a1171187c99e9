"""The zoo: models worth a look, and what their publishers and others have measured of them.

Recall is the share of queries whose right answer is first (R@1), zero-shot, as listed in
docs/openclip_retrieval_results.csv of mlfoundations/open_clip: COCO's 5,000 and Flickr30k's 1,000
test pictures. Dimensions, languages and licences are of each model's card on the hub, Qwen's
licence of its 8B card and its repository. A cell without a source that can be named is empty.
"""

from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from sigscope import paths
from sigscope.files import read_json, slug, write_json
from sigscope.models.cached import cached_models

FLOAT32 = 4  # megabytes of a million weights, as most checkpoints are stored
RECALL = "open_clip, docs/openclip_retrieval_results.csv"
MANY = 100  # pictures of a job whose pace says something of a model
BENCHMARKS = ("coco", "flickr30k", "flickr8k", "sbu", "dsd")  # whose names models carry too


@dataclass(frozen=True)
class Known:
    """A model that sigscope reads; setting is what SIGSCOPE_MODEL takes."""

    setting: str
    dimension: int
    megabytes: float | None  # of its weights
    languages: str
    licence: str = ""
    coco_text: float | None = None  # text to image
    coco_image: float | None = None  # image to text
    flickr_text: float | None = None
    flickr_image: float | None = None
    extra: str = ""  # what has to be installed for it
    trained_on: tuple[str, ...] = ()  # benchmarks among what it learnt from


WEBLI = {"languages": "English", "licence": "Apache-2.0"}
LAION = {"languages": "English", "licence": "MIT"}
ZOO = (
    Known("siglit-mini", 384, 58, "English", "other", trained_on=("flickr8k",)),
    Known("google/siglip-base-patch16-224", 768, 203.16 * FLOAT32, **WEBLI,
          coco_text=0.478, coco_image=0.657, flickr_text=0.747, flickr_image=0.891),
    Known("google/siglip-large-patch16-256", 1024, 652.15 * FLOAT32, **WEBLI,
          coco_text=0.523, coco_image=0.708, flickr_text=0.790, flickr_image=0.918),
    Known("google/siglip-so400m-patch14-384", 1152, 877.96 * FLOAT32, **WEBLI,
          coco_text=0.542, coco_image=0.724, flickr_text=0.830, flickr_image=0.943),
    Known("google/siglip-base-patch16-256-multilingual", 768, 370.63 * FLOAT32, "many",
          "Apache-2.0", coco_text=0.449, coco_image=0.645, flickr_text=0.722, flickr_image=0.896),
    Known("google/siglip2-base-patch16-224", 768, None, "many", "Apache-2.0"),
    Known("openai/clip-vit-base-patch32", 512, 151.28 * FLOAT32, "English",
          coco_text=0.304, coco_image=0.501, flickr_text=0.588, flickr_image=0.789),
    Known("openai/clip-vit-large-patch14", 768, 427.62 * FLOAT32, "English",
          coco_text=0.365, coco_image=0.563, flickr_text=0.650, flickr_image=0.852),
    Known("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", 512, 151.28 * FLOAT32, **LAION,
          coco_text=0.393, coco_image=0.563, flickr_text=0.668, flickr_image=0.841),
    Known("laion/CLIP-ViT-H-14-laion2B-s32B-b79K", 1024, 986.11 * FLOAT32, **LAION,
          coco_text=0.495, coco_image=0.659, flickr_text=0.776, flickr_image=0.907),
    Known("laion/CLIP-ViT-B-32-xlm-roberta-base-laion5B-s13B-b90k", 512, 366.12 * FLOAT32, "100",
          "MIT", coco_text=0.378, coco_image=0.535, flickr_text=0.645, flickr_image=0.827,
          extra="openclip"),
    Known("facebook/metaclip-b32-400m", 512, 151.28 * FLOAT32, "English", "CC-BY-NC-4.0",
          coco_text=0.359, coco_image=0.518, flickr_text=0.623, flickr_image=0.778),
    Known("facebook/metaclip-2-worldwide-huge-quickgelu", 1024, None, "300+", "CC-BY-NC-4.0"),
    Known("timm/ViT-B-16-SigLIP", 768, 203.16 * FLOAT32, **WEBLI, extra="openclip",
          coco_text=0.478, coco_image=0.657, flickr_text=0.747, flickr_image=0.891),
    Known("timm/MobileCLIP2-S0-OpenCLIP", 512, None, "English", "apple-amlr", extra="openclip"),
    Known("google/embeddinggemma-2", 768, 740 * FLOAT32, "many", "Apache-2.0", extra="st"),
    Known("Qwen/Qwen3-VL-Embedding-2B", 2048, None, "30+", "Apache-2.0", extra="st"),
    Known("sentence-transformers/clip-ViT-B-32-multilingual-v1", 512, None, "50+", "Apache-2.0",
          extra="st"),
)  # fmt: skip


def known_models() -> pd.DataFrame:
    """Return the zoo, one row a model, and whether it is on this machine.

    Returns:
        Columns setting, dimension, megabytes (on disk where it is here, else of its weights in
        float32; nan where unknown), languages, licence, coco_text, coco_image, flickr_text,
        flickr_image (R@1, nan where unknown), extra, source (of the recall), here, pictures_per_s
        (from files to stored vectors, in the last job of 100 pictures or more on this machine; nan
        where there was none).
    """
    table = pd.DataFrame(map(asdict, ZOO)).drop(columns=["trained_on"])
    cached = cached_models().query("why_not == ''").set_index("model")["megabytes"]
    on_disk = table["setting"].map(cached)
    size = on_disk.fillna(table["megabytes"].astype(float))
    source = table["coco_text"].notna().map({True: RECALL, False: "not stated"})
    pace = table["setting"].map(_pictures_per_s)
    return table.assign(megabytes=size, source=source, here=on_disk.notna(), pictures_per_s=pace)


def note_pace(model: str, pictures: int, seconds: float) -> None:
    """Note how long a job of embedding took on this machine, if it had many pictures."""
    if pictures >= MANY:
        write_json(_pace_file(model), {"model": model, "pictures": pictures, "seconds": seconds})


def _pictures_per_s(model: str) -> float:
    with suppress(OSError, ValueError, KeyError):  # nothing was noted, or not whole
        told = read_json(_pace_file(model))
        return told["pictures"] / told["seconds"]
    return float("nan")


def _pace_file(model: str) -> Path:
    return paths.CACHE / "paces" / f"{slug(model)}.json"


def learnt_from(model: str, gallery: str) -> str:
    """Return the benchmark that a gallery is, by its name, if the model learnt from it, else "".

    A model of the zoo says so; of any other its name tells, as that of ``blip-itm-base-coco``.
    """
    known = {row.setting: row.trained_on for row in ZOO}
    of = known.get(model, tuple(name for name in BENCHMARKS if name in model.lower()))
    return next((name for name in of if gallery.lower().startswith(name)), "")
