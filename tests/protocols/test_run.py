"""A protocol by its name gives the tables of the reports that it is of."""

import pytest
from small_gallery import NameEncoder, small_embeddings, small_gallery

from sigscope.protocols.run import COLUMNS, default_protocol, run_protocol


@pytest.fixture(scope="module")
def gallery():
    return small_gallery()


def test_captions_give_r4_and_r1_with_chance(gallery):
    table = run_protocol("captions", gallery, small_embeddings(gallery), NameEncoder())
    assert list(table) == COLUMNS and list(table["of"].unique()) == ["R4", "R1"]
    shares = table[~table["figure"].str.startswith("run time")]
    assert (shares["low"] <= shares["here"]).all() and (shares["here"] <= shares["high"]).all()
    assert shares["chance"].between(0, 1).all()
    first = shares.set_index("figure").loc["Recall@10, text to image"].iloc[0]
    assert first["here"] > first["chance"] + 0.2


def test_classes_give_r2(gallery):
    table = run_protocol("classes", gallery, small_embeddings(gallery), NameEncoder())
    assert set(table["of"]) == {"R2"} and 0.955 in set(table["report"])


def test_an_unknown_protocol_names_those_there_are(gallery):
    with pytest.raises(ValueError, match="choose from captions, classes, landmarks"):
        run_protocol("recall", gallery, small_embeddings(gallery), NameEncoder())


def test_the_protocol_goes_by_what_the_gallery_has(gallery):
    assert default_protocol(gallery) == "captions"
    gallery = small_gallery()
    gallery.items["caption"] = ""
    assert default_protocol(gallery) == "classes"
