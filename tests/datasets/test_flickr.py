import pytest
from dataset_files import items, karpathy_file, pictures, problems, write

from sigscope.datasets.flickr import load_flickr8k, load_flickr30k
from sigscope.datasets.load import load_gallery
from sigscope.gallery.folder import GalleryError

A, B, C = "1000092795.jpg", "10002456.jpg", "2199044081.jpg"


def captions(gallery):
    return items(gallery, "captions")


def test_flickr30k_with_karpathys_splits(tmp_path):
    raw = ["Two young guys with shaggy hair look at their hands ."]
    images = [{"filename": A, "split": "train", "raw": raw}]
    images += [{"filename": B, "split": "test", "raw": ["Men &quot;operating&quot; pulleys ."]}]
    karpathy_file(tmp_path / "dataset_flickr30k.json", images)
    found = load_gallery(f"flickr30k:{pictures(tmp_path, f'flickr30k-images/{A}', f'images/{B}')}")
    assert items(found, "split") == {A: "train", B: "test"}
    assert captions(found) == {A: raw, B: ['Men "operating" pulleys .']}


def test_flickr30k_tokens_as_published(tmp_path):
    lines = [f"{A}#0\tTwo young guys .", f"{A}#1\t A tab\tinside ", f"{B}#0\tcaf\xe9 # 1 .", "oops"]
    text = "\ufeff" + "\r\n".join(lines) + "\r\n"
    write(tmp_path / "results_20130124.token", text)
    found = load_flickr30k(pictures(tmp_path, A, B))
    assert captions(found) == {A: ["Two young guys .", "A tab inside"], B: ["café # 1 ."]}
    assert set(found.items["split"]) == {""}
    assert "line 4 is not a picture's name" in problems(found)["results_20130124.token"]


def test_a_line_that_is_not_utf8_is_read_as_windows_1252(tmp_path):
    write(tmp_path / "results_20130124.token", b"%s#0\tcaf\xe9\x85\n" % A.encode())
    assert captions(load_flickr30k(pictures(tmp_path, A))) == {A: ["café…"]}


def test_kaggles_flickr30k_keeps_the_caption_of_its_broken_line(tmp_path):
    lines = [
        "image_name| comment_number| comment",
        f"{A}| 0| Two young guys , one | two .",
        f"{C}| 0| A dog runs .",
        f"{C}| 4   A dog runs across the grass .",
        f"{B}| 3",
    ]
    folder = tmp_path / "flickr30k_images"
    write(folder / "results.csv", "\n".join(lines))
    pictures(folder, *(f"flickr30k_images/{name}" for name in (A, B, C)))
    found = load_flickr30k(tmp_path)
    expected = {
        A: ["Two young guys , one | two ."],
        C: ["A dog runs .", "A dog runs across the grass ."],
        B: [],
    }
    assert captions(found) == expected
    assert problems(found) == {"flickr30k_images/results.csv": "line 5 has no caption"}


def test_the_hubs_table_of_flickr30k(tmp_path):
    row = f'"[""Two young guys ."", ""A \\""b\\"" .""]","[0, 1]",test,{A},0'
    write(tmp_path / "flickr_annotations_30k.csv", f"raw,sentids,split,filename,img_id\n{row}\n")
    found = load_flickr30k(pictures(tmp_path, A))
    assert items(found, "captions", "split") == {A: (["Two young guys .", 'A "b" .'], "test")}


DOG, GIRL = "1001773457_577c3a7d70.jpg", "1000268201_693b08cb0e.jpg"
GONE = "2258277193_586949ec62.jpg.1"


def test_flickr8k_tokens_with_the_lists_of_the_splits(tmp_path):
    lines = [f"{GIRL}#0\tA child in a pink dress .", f"{DOG}#0\tTwo dogs .", f"{GONE}#0\tTwo men ."]
    write(tmp_path / "Flickr8k_text/Flickr8k.token.txt", "\n".join(lines))
    write(tmp_path / "Flickr8k_text/Flickr8k.lemma.token.txt", f"{GIRL}#0\tA child in pink")
    write(tmp_path / "Flickr8k_text/Flickr_8k.trainImages.txt", f"{GIRL}\r\n")
    write(tmp_path / "Flickr8k_text/Flickr_8k.devImages.txt", f"{DOG}\n")
    pictures(tmp_path, f"Flicker8k_Dataset/{GIRL}", f"Flicker8k_Dataset/{DOG}")
    found = load_gallery(f"flickr8k:{tmp_path}")
    assert items(found, "split", "caption") == {
        GIRL: ("train", "A child in a pink dress ."),
        DOG: ("val", "Two dogs ."),
    }
    lemma = "1 other file that no list of flickr8k names, the first Flickr8k.lemma.token.txt"
    assert problems(found).pop("Flickr8k_text/") == lemma
    assert problems(found).keys() == {GONE, "Flickr8k_text/"}


def test_kaggles_flickr8k_with_commas_and_quotes(tmp_path):
    lines = [
        "image,caption",
        f"{GIRL},A child in a pink dress is climbing .",
        f'{GIRL},"A black dog , staring , in the ""street"" ."',
        f'{GIRL},"Street" says a sign , in "quotes"',
        f"{DOG},Two dogs , unquoted .",
        f"{DOG}, ",
    ]
    write(tmp_path / "captions.txt", "\r\n".join(lines))
    assert captions(load_flickr8k(pictures(tmp_path, f"Images/{GIRL}", f"Images/{DOG}"))) == {
        GIRL: [
            "A child in a pink dress is climbing .",
            'A black dog , staring , in the "street" .',
            '"Street" says a sign , in "quotes"',
        ],
        DOG: ["Two dogs , unquoted ."],
    }


def test_macos_leftovers_are_no_pictures(tmp_path):
    write(tmp_path / "captions.txt", f"image,caption\n{DOG},Two dogs .\n")
    pictures(tmp_path, f"images/{DOG}", f"__MACOSX/{DOG}")
    write(tmp_path / "images" / f"._{DOG}", b"\x00")
    assert items(load_flickr8k(tmp_path), "path") == {DOG: f"images/{DOG}"}


def test_another_captions_txt_is_refused(tmp_path):
    write(tmp_path / "captions.txt", "a cat on a mat\n")
    with pytest.raises(GalleryError, match="does not begin with image,caption"):
        load_flickr8k(tmp_path)


@pytest.mark.parametrize("load", [load_flickr8k, load_flickr30k])
def test_a_folder_without_captions_says_what_is_expected(load, tmp_path):
    with pytest.raises(GalleryError, match="has none of .* It needs dataset_flickr.* is at https"):
        load(pictures(tmp_path, DOG))
