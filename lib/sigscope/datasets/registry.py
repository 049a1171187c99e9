"""The data sets that have a name: how each is loaded, what it needs, where to get it."""

from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from pathlib import Path

from sigscope.gallery.gallery import Gallery


@dataclass(frozen=True)
class Dataset:
    """How to load one data set.

    Attributes:
        name: What it is called in ``load_gallery("name:/path")``.
        module: Where below ``sigscope.datasets`` its loader is.
        loader: What the loader is called.
        expects: What must lie in its folder, in one sentence.
        source: Where its publisher offers it.
    """

    name: str
    module: str
    loader: str
    expects: str
    source: str

    def load(self, path: Path, *, progress: bool = False) -> Gallery:
        """Return the gallery of the files in a folder; what takes long shows a bar on stderr."""
        load = getattr(import_module(f"sigscope.datasets.{self.module}"), self.loader)
        further = {"progress": progress} if "progress" in signature(load).parameters else {}
        return load(path, **further)


_COCO = "https://cocodataset.org/#download"
_KARPATHY = "https://cs.stanford.edu/people/karpathy/deepimagesent (caption_datasets.zip)"
_ILLINOIS = "https://shannon.cs.illinois.edu/DenotationGraph (a form to fill in)"
_OXFORD = "https://www.robots.ox.ac.uk/~vgg/data/oxbuildings"
_PARIS = "https://www.robots.ox.ac.uk/~vgg/data/parisbuildings"
_DSD = "https://huggingface.co/datasets/primecai/dsd_data"
_ALL = (
    Dataset(
        "coco",
        *("coco", "load_coco"),
        "It needs annotations/captions_train2017.json or captions_val2017.json (or those of 2014, "
        "or dataset_coco.json), and the pictures in train2017/ and val2017/.",
        _COCO,
    ),
    Dataset(
        "coco2017",
        *("coco", "load_coco2017"),
        "It needs annotations/captions_train2017.json or captions_val2017.json, and the pictures "
        "in train2017/ and val2017/.",
        _COCO,
    ),
    Dataset(
        "coco2014",
        *("coco", "load_coco2014"),
        "It needs annotations/captions_train2014.json or captions_val2014.json, and the pictures "
        "in train2014/ and val2014/.",
        _COCO,
    ),
    Dataset(
        "coco-karpathy",
        *("coco", "load_coco_karpathy"),
        "It needs dataset_coco.json, and the pictures of 2014 in train2014/ and val2014/.",
        f"{_KARPATHY}; its pictures at {_COCO}",
    ),
    Dataset(
        "flickr30k",
        *("flickr", "load_flickr30k"),
        "It needs dataset_flickr30k.json, results_20130124.token, results.csv or "
        "flickr_annotations_30k.csv, and the pictures.",
        f"{_ILLINOIS}; its splits at {_KARPATHY}",
    ),
    Dataset(
        "flickr8k",
        *("flickr", "load_flickr8k"),
        "It needs dataset_flickr8k.json, Flickr8k.token.txt (with Flickr_8k.trainImages.txt and "
        "the like for the splits) or captions.txt, and the pictures.",
        "https://github.com/jbrownlee/Datasets/releases/tag/Flickr8k, or "
        f"https://www.kaggle.com/datasets/adityajn105/flickr8k; its splits at {_KARPATHY}",
    ),
    Dataset(
        "ilsvrc2012",
        *("ilsvrc", "load_ilsvrc2012"),
        "It needs the validation pictures: ILSVRC2012_val_*.JPEG with the development kit's "
        "ILSVRC2012_validation_ground_truth.txt and meta.mat (or Kaggle's LOC_val_solution.csv), "
        "or sorted into folders of classes (n01440764/…).",
        "https://image-net.org/challenges/LSVRC/2012/2012-downloads.php (an account is needed)",
    ),
    Dataset(
        "oxford5k",
        *("landmarks", "load_oxford5k"),
        "It needs the pictures (all_souls_000000.jpg …) and, for the queries, the ground truth "
        "(all_souls_1_query.txt …).",
        _OXFORD,
    ),
    Dataset(
        "paris6k",
        *("landmarks", "load_paris6k"),
        "It needs the pictures (paris_defense_000000.jpg …, in one folder or in one for each "
        "landmark) and, for the queries, the ground truth (defense_1_query.txt …).",
        _PARIS,
    ),
    Dataset(
        "dsd",
        *("dsd", "load_dsd"),
        "It needs the data set's parquet files (columns conditioning and caption), or R5's table "
        "(Image Embedding, Text Embedding, Description) with the pictures 0.jpg, 1.jpg … if any.",
        _DSD,
    ),
    Dataset(
        "videos",
        *("videos", "load_videos"),
        "It needs a folder of films (.mp4, .m4v, .mov, .mkv, .webm, .avi), with subtitles (.srt, "
        ".vtt) or texts beside them if there are any; and PyAV: pip install 'sigscope[video]'.",
        "films of your own; https://pyav.basswood-io.com reads them",
    ),
    Dataset(
        "msrvtt",
        *("video_captions", "load_msrvtt"),
        "It needs MSRVTT_data.json (or train_val_videodatainfo.json and test_videodatainfo.json), "
        "MSRVTT_JSFUSION_test.csv for the split that papers ask, and the films (video0.mp4 …); and "
        "PyAV: pip install 'sigscope[video]'.",
        "https://github.com/ArrowLuo/CLIP4Clip, which says where each is offered",
    ),
    Dataset(
        "msvd",
        *("video_captions", "load_msvd"),
        "It needs AllVideoDescriptions.txt (or video_corpus.csv), train_list.txt, val_list.txt and "
        "test_list.txt for the splits, and the films (mv89psg6zh4_33_46.avi …); and PyAV: pip "
        "install 'sigscope[video]'.",
        "https://www.cs.utexas.edu/~ml/clamp/videoDescription",
    ),
    Dataset(
        "vectors",
        *("vector_tables", "load_vectors"),
        "It needs a table (.csv or .parquet) with the columns Image Embedding and Description, and "
        "Text Embedding if it has one; or a folder of clip-retrieval's: img_emb/, text_emb/ if "
        "there is one, and metadata/.",
        f"{_DSD}, from which R5 made its table",
    ),
    Dataset(
        "urls",
        *("url_tables", "load_urls"),
        "It needs a table (.csv, .tsv, .jsonl, .parquet) with a column url and perhaps one of "
        "captions, or a .txt with one URL a line; what they name is downloaded first.",
        "a table of your own, as https://github.com/rom1504/img2dataset takes it",
    ),
    Dataset(
        "sbu",
        *("sbu", "load_sbu"),
        "It needs SBU_captioned_photo_dataset_urls.txt with SBU_captioned_photo_dataset_captions"
        ".txt, or sbu-captions-all.json, and the pictures that were downloaded from it.",
        "https://www.cs.rice.edu/~vo9/sbucaptions",
    ),
    Dataset(
        "img2dataset",
        *("img2dataset", "load_img2dataset"),
        "It needs what img2dataset writes: 00000.tar (or a folder 00000/) with 00000.parquet.",
        "https://github.com/rom1504/img2dataset",
    ),
)
DATASETS = {dataset.name: dataset for dataset in _ALL}
