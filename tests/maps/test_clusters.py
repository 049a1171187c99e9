import numpy as np
import pytest

from sigscope.maps import clusters as cl


def blobs(sizes=(60, 40, 30), apart=20.0, seed=0):
    rng = np.random.default_rng(seed)
    centres = apart * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])[: len(sizes)]
    parts = [c + rng.normal(size=(n, 2)) for c, n in zip(centres, sizes, strict=True)]
    return np.concatenate(parts).astype(np.float32), np.repeat(np.arange(len(sizes)), sizes)


def test_blobs_far_apart_are_clusters_numbered_from_the_largest():
    places, truth = blobs(sizes=(30, 60, 40))
    labels = cl.group(places)
    own = labels >= 0
    assert own.mean() > 0.5
    by_size = np.array([2, 0, 1])  # 60 is cluster 0, 40 is 1, 30 is 2
    np.testing.assert_array_equal(labels[own], by_size[truth[own]])


def test_a_lonely_point_is_in_no_cluster():
    places, _ = blobs()
    labels = cl.group(np.vstack([places, [[-300, -300]]]))
    assert labels[-1] == -1


@pytest.mark.parametrize(
    "places", [np.zeros((50, 2)), np.random.default_rng(0).normal(size=(9, 2))]
)
def test_too_few_or_equal_places_are_in_no_cluster(places):
    found = cl.find_clusters(places.astype(np.float32), [["a cat"]] * len(places))
    assert len(found) == 0 and set(found.labels) == {-1}
    assert set(found.of_points()) == {"(unclustered)"}


def test_a_name_has_the_words_frequent_here_and_rare_elsewhere():
    labels = np.repeat([0, 1], 10)
    texts = (
        ["a drawing of a cat"] * 6 + ["a drawing of a kitten"] * 4 + ["a drawing of a tree"] * 10
    )
    names = cl._name_groups(labels, texts, words=1)
    assert names == ["cat", "tree"]


def test_the_weight_is_the_share_here_times_the_rarity_of_the_word():
    labels, texts = np.array([0, 0, 1, 1]), ["cat house", "cat house", "dog house", "dog"]
    # cluster 0: cat 2/2, house 2/2; counts cat 2, house 3; so cat outweighs house
    assert cl._name_groups(labels, texts) == ["cat, house", "dog, house"]


def test_a_word_counts_once_for_a_picture_however_often_it_is_said():
    labels = np.repeat([0, 1], 4)
    texts = ["moon moon moon moon sea", "sea", "sea", "sea", "hill", "hill", "hill", "hill"]
    assert cl._name_groups(labels, texts, words=1)[0] == "sea"


def test_no_two_clusters_have_the_same_name():
    labels = np.array([0, 0, 1, 1, 2, 2])
    texts = ["flag red", "flag red", "flag blue", "flag blue", "flag red", "flag red"]
    # red outweighs flag, as fewer have it; the second red takes one more word
    assert cl._name_groups(labels, texts, words=1) == ["red", "blue", "red, flag"]


def test_a_name_does_not_repeat_a_word_with_another_ending():
    names = cl._name_groups(
        np.array([0, 0]), ["flag flags flagged pole", "flag flags flagged pole"]
    )
    assert names == ["flag, pole"]


@pytest.mark.parametrize("text", ["", "1234 ::", "the of and"])
def test_clusters_without_words_are_numbered(text):
    assert cl._name_groups(np.array([0, 0, 1, 1]), [text] * 4) == ["group 1", "group 2"]


def test_captions_in_other_scripts_give_names():
    names = cl._name_groups(np.array([0, 0, 1, 1]), ["красная птица"] * 2 + ["größe"] * 2, words=1)
    assert names[0] in ("красная", "птица") and names[1] == "größe"


def test_the_label_stands_at_a_point_of_its_own_cluster():
    places, truth = blobs()
    found = cl.find_clusters(places, [[f"thing{t}"] for t in truth])
    for number, centre in enumerate(found.centres):
        own = places[found.labels == number]
        assert (own == centre).all(axis=1).any()
    assert list(found.sizes()) == [int((found.labels == i).sum()) for i in range(len(found))]


def test_a_record_gives_the_clusters_back_and_refuses_other_labels():
    places, truth = blobs()
    found = cl.find_clusters(places, [[f"thing{'abc'[t]}"] for t in truth])
    again = cl.Clusters.from_record(found.labels, found.record())
    assert again.names == found.names and (again.of_points() == found.of_points()).all()
    with pytest.raises(ValueError, match="do not fit"):
        cl.Clusters.from_record(found.labels + 1, found.record())


def test_each_point_needs_its_captions():
    with pytest.raises(ValueError, match="3 places and 2"):
        cl.find_clusters(np.zeros((3, 2)), [[], []])
