import argparse

import pandas as pd
import pytest
from hostile_server import HostileServer

from sigscope import paths
from sigscope.cli.download import add_arguments, download
from sigscope.datasets.load import open_list
from sigscope.downloads.answers import retry_after
from sigscope.downloads.lists import ListError, default_folder
from sigscope.downloads.report import rows

ROWS = [("http://x/1.jpg", 'a "red" cat, asleep'), ("http://x/2.jpg", "Tom & Ann"), ("", "")]


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


def test_the_command_downloads_says_what_became_of_it_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    with HostileServer() as server:
        lines = [server.url(path) + "\n" for path in ("good.jpg", "404", "picture/3")]
        (tmp_path / "list.txt").write_text("".join(lines))
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        words = [str(tmp_path / "list.txt"), "--allow-network", "127.0.0.1/32", "--first"]
        assert download(parser.parse_args([*words, "2"])) == 0
        assert "1 of 2 pictures loaded; 1 (50.0 %) did not" in capsys.readouterr().out
        assert download(parser.parse_args([*words, "3", "--retry-failed"])) == 0
    assert "2 of 3 pictures loaded" in capsys.readouterr().out
    assert server.asked["/404"] == 2 and server.asked["/good.jpg"] == 1
    assert len(rows(default_folder(str(tmp_path / "list.txt")))) == 3


def test_two_lists_of_one_name_go_to_different_folders():
    assert default_folder("sbu:/a/sbu") != default_folder("sbu:/b/sbu")
    assert default_folder("sbu:/a/sbu").name.startswith("sbu-")


def test_retry_after_is_a_number_of_seconds_or_a_date():
    from datetime import UTC, datetime

    now = datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert retry_after("120") == 120
    assert retry_after("Wed, 01 May 2024 12:00:30 GMT", now) == 30
    assert retry_after("Wed, 01 May 2024 11:00:00 GMT", now) == 0
    assert retry_after("soon") is None and retry_after("") is None
