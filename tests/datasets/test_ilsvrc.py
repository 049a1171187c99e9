import numpy as np
import pytest
from dataset_files import items, pictures, problems, write
from scipy.io import savemat

from sigscope.datasets.ilsvrc import load_ilsvrc2012
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.gallery.folder import GalleryError
from sigscope.protocols.classes import class_map

FOX, SETTER, TENCH, CRANE, LIFTER = "n02119789", "n02100735", "n01440764", "n02012849", "n03126707"
WORDS = {  # in the order of the WordNet ids, as everywhere but in meta.mat
    TENCH: "tench, Tinca tinca",
    CRANE: "crane",
    SETTER: "English setter",
    FOX: "kit fox, Vulpes macrotis",
    LIFTER: "crane",
}
NUMBERS = {1: FOX, 2: SETTER, 3: TENCH, 4: CRANE, 5: LIFTER}
VAL = [f"ILSVRC2012_val_{n:08d}" for n in range(1, 5)]


def meta(path, numbers=NUMBERS):
    """Write meta.mat as MATLAB does: an array of structs, in the end those with children."""
    rows = [(n, wnid, WORDS[wnid], "gloss", 0, [], 0, 1300) for n, wnid in numbers.items()]
    rows.append((len(rows) + 1, "n00001740", "entity", "gloss", 2, [1, 2], 18, 0))
    names = ["ILSVRC2012_ID", "WNID", "words", "gloss", "num_children", "children"]
    names += ["wordnet_height", "num_train_images"]
    table = np.empty((len(rows), 1), [(name, object) for name in names])
    for place, row in enumerate(rows):
        table[place, 0] = row
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"synsets": table})


@pytest.fixture
def flat(tmp_path):
    data = tmp_path / "ILSVRC2012_devkit_t12" / "data"
    meta(data / "meta.mat")
    write(data / "ILSVRC2012_validation_ground_truth.txt", "3\n1\n5\n4\n")
    return pictures(tmp_path, *(f"ILSVRC2012_img_val/{name}.JPEG" for name in VAL))


def test_numbers_of_the_ground_truth_are_those_of_meta_mat(flat):
    found = load_gallery(f"ilsvrc2012:{flat}")
    assert items(found, "wnid", "category", "split") == {
        VAL[0]: (TENCH, "tench", "val"),
        VAL[1]: (FOX, "kit fox", "val"),
        VAL[2]: (LIFTER, f"crane ({LIFTER})", "val"),
        VAL[3]: (CRANE, f"crane ({CRANE})", "val"),
    }


def test_a_shared_name_is_told_by_all_names_where_they_differ(tmp_path):
    write(tmp_path / "synset_words.txt", f"{FOX} maillot\n{SETTER} maillot, tank suit\n")
    pictures(tmp_path, f"{FOX}/a.JPEG", f"{SETTER}/b.JPEG")
    found = items(load_ilsvrc2012(tmp_path), "category")
    assert found == {"a": f"maillot ({FOX})", "b": "maillot, tank suit"}


def test_some_of_the_pictures_keep_their_own_labels(flat):
    (flat / f"ILSVRC2012_img_val/{VAL[0]}.JPEG").unlink()
    assert items(load_ilsvrc2012(flat), "wnid") == {VAL[1]: FOX, VAL[2]: LIFTER, VAL[3]: CRANE}


def test_sorted_names_alone_do_not_tell_what_the_numbers_mean(flat):
    (flat / "ILSVRC2012_devkit_t12/data/meta.mat").unlink()
    words = "".join(f"{wnid} {names}\n" for wnid, names in WORDS.items())
    write(flat / "synset_words.txt", words)
    with pytest.raises(GalleryError, match="no meta.mat .* synset_words.txt is not in the order"):
        load_ilsvrc2012(flat)


def test_the_map_of_later_development_kits_will_do(flat):
    (flat / "ILSVRC2012_devkit_t12/data/meta.mat").unlink()
    lines = [
        f"{wnid} {n} {WORDS[wnid].split(',')[0].replace(' ', '_')}" for n, wnid in NUMBERS.items()
    ]
    write(flat / "map_clsloc.txt", "\n".join(lines))
    assert items(load_ilsvrc2012(flat), "category")[VAL[1]] == "kit fox"


def test_caffes_labels_count_sorted_classes_from_0(tmp_path):
    pictures(tmp_path, *(f"val/{name}.JPEG" for name in VAL))
    write(tmp_path / "val.txt", "".join(f"{name}.JPEG {n}\n" for n, name in enumerate(VAL)))
    write(tmp_path / "synset_words.txt", "".join(f"{w} {names}\n" for w, names in WORDS.items()))
    found = items(load_ilsvrc2012(tmp_path), "wnid")
    assert found == dict(zip(VAL, [TENCH, CRANE, SETTER, FOX], strict=True))


def test_synsets_above_the_thousand_are_no_classes(tmp_path):
    meta(tmp_path / "meta.mat")
    write(tmp_path / "val.txt", f"{VAL[0]}.JPEG 0\n")
    assert items(load_ilsvrc2012(pictures(tmp_path, f"{VAL[0]}.JPEG")), "wnid") == {VAL[0]: TENCH}


def test_kaggles_solution_names_the_class_itself(tmp_path):
    pictures(tmp_path, *(f"ILSVRC/Data/CLS-LOC/val/{name}.JPEG" for name in VAL[:2]))
    pictures(tmp_path, f"ILSVRC/Data/CLS-LOC/train/{FOX}/{FOX}_1.JPEG")
    rows = [f"{VAL[1]},{FOX} 85 1 499 272 {FOX} 1 2 3 4 ", f"{VAL[0]},{TENCH} 1 1 9 9 "]
    write(tmp_path / "LOC_val_solution.csv", "\n".join(["ImageId,PredictionString", *rows]))
    write(tmp_path / "LOC_synset_mapping.txt", "".join(f"{w} {n}\n" for w, n in WORDS.items()))
    found = items(load_ilsvrc2012(tmp_path), "category")
    assert found == {VAL[0]: "tench", VAL[1]: "kit fox"}


def test_folders_of_classes_need_no_ground_truth(tmp_path):
    pictures(tmp_path, f"val/{FOX}/{VAL[0]}.JPEG", f"val/{TENCH}/{VAL[1]}.JPEG")
    assert items(load_ilsvrc2012(tmp_path), "category") == {VAL[0]: FOX, VAL[1]: TENCH}
    write(tmp_path / "synset_words.txt", f"{FOX} kit fox, Vulpes macrotis\n")
    assert items(load_ilsvrc2012(tmp_path), "category") == {VAL[0]: "kit fox", VAL[1]: TENCH}


def test_a_picture_without_a_class_is_a_problem(flat):
    write(flat / "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt", "3\n\n9999\n")
    found = load_ilsvrc2012(flat)
    assert list(items(found, "wnid")) == VAL[:1]
    assert (
        problems(found)[f"ILSVRC2012_img_val/{VAL[3]}.JPEG"]
        == "the ground truth has no class for it"
    )
    assert "line 3 is '9999'" in " ".join(problems(found).values())


@pytest.mark.parametrize("named", [[], [f"{VAL[0]}.JPEG"]])
def test_what_is_missing_is_named(tmp_path, named):
    with pytest.raises(GalleryError, match=r"It needs the validation pictures.*image-net.org"):
        load_ilsvrc2012(pictures(tmp_path, *named))


def test_r2s_protocol_takes_the_classes(tmp_path):
    from toy import ToyEncoder

    names = {n: f"{n}/{VAL[i]}.JPEG" for i, n in enumerate((FOX, TENCH))}
    pictures(tmp_path, *names.values(), f"{FOX}/{VAL[2]}.JPEG", f"{TENCH}/{VAL[3]}.JPEG")
    gallery, encoder = load_ilsvrc2012(tmp_path), ToyEncoder()
    embeddings = embed_gallery(gallery, encoder, tmp_path / "embeddings")
    outcome = class_map(gallery, embeddings, encoder, split="val", ks=(5,))
    assert set(outcome.table["queries"]) == {"image", "text"}


def test_two_classes_called_crane_are_two_categories_prompted_alike(tmp_path):
    from toy import ToyEncoder

    write(tmp_path / "synset_words.txt", f"{CRANE} crane\n{LIFTER} crane\n")
    pictures(tmp_path, *(f"{wnid}/{wnid}_{n}.JPEG" for wnid in (CRANE, LIFTER) for n in (1, 2)))
    gallery, encoder = load_ilsvrc2012(tmp_path), ToyEncoder()
    assert gallery.items["category"].nunique() == 2
    embeddings = embed_gallery(gallery, encoder, tmp_path / "embeddings")
    class_map(gallery, embeddings, encoder, split="val", prompts={"a": ["a {}"]}, ks=(1,))
    assert encoder.texts_encoded == ["a crane", "a crane"]
