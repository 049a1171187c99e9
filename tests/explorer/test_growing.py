"""A folder that changes while the explorer serves lets the index that a visitor chose grow."""

import shutil

from visiting import on_list

from sigscope import paths
from sigscope.indexes.index import VectorIndex


def test_an_index_grows_when_its_folder_changes(tmp_path, monkeypatch):
    import resources

    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    pictures = sorted((paths.GALLERY / "images" / "transport").iterdir())[:13]
    folder, built = tmp_path / "pictures", []
    folder.mkdir()
    for picture in pictures[:12]:
        shutil.copy(picture, folder)
    build = VectorIndex.build
    monkeypatch.setattr(
        VectorIndex, "build", lambda name, *given: built.append(name) or build(name, *given)
    )
    with on_list("growing", folder) as key:
        assert len(resources.searcher("hnsw", key=key)) == 12
        shutil.copy(pictures[12], folder)
        (folder / pictures[0].name).unlink()
        resources.has_changed(key)
        found = resources.searcher("hnsw", key=key)
        like = found.by_picture(folder / pictures[12].name, 20)
        assert like["id"].iat[0] == pictures[12].name
        assert pictures[0].name not in set(like["id"]) and len(like) == 12
        assert built.count("hnsw") == 1
