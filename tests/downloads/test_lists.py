import pandas as pd
import pytest

from sigscope.datasets.load import open_list
from sigscope.downloads.lists import ListError, default_folder

ROWS = [("http://x/1.jpg", 'a "red" cat, asleep'), ("http://x/2.jpg", "Tom & Ann"), ("", "none")]


def written(folder, kind):
    table = pd.DataFrame(ROWS, columns=["URL", "TEXT"])
    file = folder / f"list{kind}"
    if kind == ".parquet":
        table.to_parquet(file)
    elif kind == ".txt":
        file.write_text("".join(f"{url}\n" for url, _ in ROWS))
    else:
        table.to_csv(file, index=False, sep="\t" if kind == ".tsv" else ",")
    return file


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".parquet"])
def test_tables_of_urls_are_read_in_order_with_their_captions(tmp_path, kind):
    found = open_list(str(written(tmp_path, kind)))
    assert list(found.rows()) == ROWS and list(found.rows()) == ROWS
    assert found.total == 3


def test_a_text_file_is_one_url_a_line(tmp_path):
    found = open_list(str(written(tmp_path, ".txt")))
    assert list(found.rows()) == [(url, "") for url, _ in ROWS if url]


@pytest.mark.parametrize("source", ["nothing.csv", "picture.jpg", "unknown:/x"])
def test_what_is_no_list_is_told_what_is(tmp_path, source):
    with pytest.raises(ListError, match="sbu:/folder"):
        open_list(source)


def test_a_table_without_urls_is_told_of_its_columns(tmp_path):
    (tmp_path / "a.csv").write_text("file,text\na.jpg,cat\n")
    with pytest.raises(ListError, match=r"no column url .*file, text"):
        open_list(str(tmp_path / "a.csv"))


def test_two_lists_of_one_name_go_to_different_folders():
    assert default_folder("sbu:/a/sbu") != default_folder("sbu:/b/sbu")
    assert default_folder("sbu:/a/sbu").name.startswith("sbu-")
