import pytest
from dataset_files import items, pictures, problems, write
from PIL import Image
from toy import ToyEncoder

from sigscope.datasets.landmarks import CORRUPT, load_oxford5k, load_paris6k
from sigscope.datasets.load import load_gallery
from sigscope.embeddings.embed import embed_gallery
from sigscope.gallery.folder import GalleryError
from sigscope.protocols.landmarks import Landmark, _landmark_queries, landmark_map


def ground_truth(folder, query, line, good="", ok="", junk=""):
    for kind, text in {"query": line, "good": good, "ok": ok, "junk": junk}.items():
        write(folder / f"{query}_{kind}.txt", text)


@pytest.fixture
def oxford(tmp_path):
    """Four pictures in one folder and the truth in another, as Oxford's archives unpack."""
    images = tmp_path / "oxbuild_images"
    for name, colour in {
        "all_souls_000013": "red",
        "all_souls_000026": "red",
        "oxford_002904": "blue",
        "radcliffe_camera_000519": "green",
    }.items():
        picture = Image.new("RGB", (40, 30), "red" if "26" in name else "blue")
        picture.paste(colour, (10, 5, 30, 25))
        images.mkdir(exist_ok=True)
        picture.save(images / f"{name}.jpg", quality=95)
    line = "oxc1_all_souls_000013 10.4 4.6 29.8 25.2"
    truth = {"good": "all_souls_000013\nall_souls_000026\n", "junk": "oxford_002904\n"}
    ground_truth(tmp_path / "gt_files_170407", "all_souls_1", line, **truth)
    return tmp_path


def test_oxford_is_read_by_the_names_of_the_ground_truth(oxford):
    found = load_gallery(f"oxford5k:{oxford}")
    assert items(found, "path", "flickr_query", "category")["radcliffe_camera_000519"] == (
        "oxbuild_images/radcliffe_camera_000519.jpg",
        "radcliffe camera",
        "",
    )
    assert set(_landmark_queries(oxford)[0].truth.right) <= set(found.items["id"])


def test_a_query_has_its_box_and_its_truth(oxford):
    (query,) = _landmark_queries(oxford)
    assert (query.id, query.picture) == ("all_souls_1", "all_souls_000013")
    assert query.box == (10.4, 4.6, 29.8, 25.2)
    truth = Landmark.of(["all_souls_000013", "all_souls_000026"], [], ["oxford_002904"])
    assert query.truth == truth


def test_a_query_is_cut_out_of_its_picture(oxford):
    (query,) = _landmark_queries(oxford)
    part = query.cropped(load_oxford5k(oxford))
    assert part.size == (20, 20)
    red, green, blue = part.getpixel((10, 10))
    assert red > 240 and green < 15 and blue < 15


@pytest.mark.parametrize(
    ("box", "size"), [("-5 -5 400 300", (40, 30)), ("30.2 20.7 99 99", (10, 9))]
)
def test_a_box_ends_where_the_picture_does(oxford, box, size):
    folder = oxford / "gt_files_170407"
    write(folder / "all_souls_1_query.txt", f"oxc1_all_souls_000013 {box}\r\n")
    assert _landmark_queries(folder)[0].cropped(load_oxford5k(oxford)).size == size


def test_a_box_outside_the_picture_is_refused(oxford):
    write(oxford / "gt_files_170407/all_souls_1_query.txt", "all_souls_000013 50 5 60 9")
    with pytest.raises(ValueError, match="of all_souls_1 lies outside its picture .40 × 30."):
        _landmark_queries(oxford)[0].cropped(load_oxford5k(oxford))


@pytest.mark.parametrize("line", ["", "oxc1_a 1 2 3", "oxc1_a 1 2 x 4", "oxc1_a 9 2 3 4"])
def test_a_broken_query_is_refused(oxford, line):
    write(oxford / "gt_files_170407/all_souls_1_query.txt", line)
    with pytest.raises(ValueError, match="all_souls_1_query.txt says .* no picture and its box"):
        _landmark_queries(oxford)


def test_the_box_decides_what_is_found(oxford):
    gallery, encoder = load_oxford5k(oxford), ToyEncoder()
    embeddings = embed_gallery(gallery, encoder, oxford / "embeddings")
    cut = landmark_map(gallery, embeddings, encoder, ks=(1,)).queries.set_index("id")
    whole = landmark_map(gallery, embeddings, encoder, crop=False, ks=(1,)).queries.set_index("id")
    assert cut.loc["all_souls_1", ["mAP", "rank"]].tolist() == [1, 1]
    assert whole.loc["all_souls_1", "mAP"] < 1, "the blue margin is like the junk and the camera"


def test_queries_that_are_not_there_name_their_archives(tmp_path):
    with pytest.raises(ValueError, match=r"gt_files_170407.tgz for Oxford, paris_120310.tgz"):
        _landmark_queries(tmp_path)
    ground_truth(tmp_path / "a", "x_1", "x 1 1 2 2")
    ground_truth(tmp_path / "b", "y_1", "y 1 1 2 2")
    with pytest.raises(ValueError, match="has queries in .* give one of them"):
        _landmark_queries(tmp_path)
    (tmp_path / "a/x_1_good.txt").unlink()
    with pytest.raises(ValueError, match="a lacks x_1_good.txt; unpack the ground truth again"):
        _landmark_queries(tmp_path / "a")


def test_paris_lies_in_folders_and_its_corrupt_files_are_skipped(tmp_path):
    names = ["paris/louvre/paris_louvre_000135.jpg", "paris/general/paris_general_000001.jpg"]
    pictures(tmp_path, *names)
    write(tmp_path / "paris/louvre/paris_louvre_000136.jpg", "<html>302 Found</html>")
    write(tmp_path / "paris/general/paris_louvre_000135.jpg", (tmp_path / names[0]).read_bytes())
    found = load_paris6k(tmp_path)
    assert items(found, "path", "flickr_query") == {
        "paris_general_000001": (names[1], "general"),
        "paris_louvre_000135": ("paris/general/paris_louvre_000135.jpg", "louvre"),
    }
    reasons = problems(found)
    assert "known to be corrupt" in reasons["paris/louvre/paris_louvre_000136.jpg"]
    assert "same name lies in paris/general" in reasons[names[0]]


def test_paris_may_lie_flat_and_beside_oxford(oxford):
    pictures(oxford, "paris_defense_000000.jpg")
    assert list(load_paris6k(oxford).items["id"]) == ["paris_defense_000000"]
    assert "paris_defense_000000" not in set(load_oxford5k(oxford).items["id"])


def test_twenty_files_of_paris_are_corrupt():
    assert len(CORRUPT) == 20
    assert {"paris_triomphe_000867", "paris_moulinrouge_000422"} < CORRUPT


@pytest.mark.parametrize("load", [load_oxford5k, load_paris6k])
def test_a_folder_without_pictures_says_what_is_expected(load, tmp_path):
    with pytest.raises(
        GalleryError, match="has no pictures of .* It needs .* is at https://www.ro"
    ):
        load(tmp_path)
