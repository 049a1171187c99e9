import asyncio
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from threading import Thread

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hostile_server import HostileServer

from sigscope.datasets.img2dataset import load_img2dataset
from sigscope.downloads.limits import Limits
from sigscope.downloads.lists import UrlList
from sigscope.downloads.pictures import Saving
from sigscope.downloads.records import COLUMNS, report, rows, summary
from sigscope.downloads.run import DiskError, Effort, download
from sigscope.downloads.shard import ListChanged
from sigscope.files import FolderBusy, folder_lock
from sigscope.images.read import open_picture

SUPPORT = Path(__file__).parents[1] / "support"
HERE = Limits(read_s=2, total_s=4, backoff_s=0.01, allowed=("127.0.0.1/32",), max_bytes=1 << 20)
SMALL = Effort(workers=8, per_host=4, shard_size=10)


@pytest.fixture(scope="module")
def server():
    with HostileServer() as server:
        yield server


def listed(server, *paths, name="list"):
    table = [(server.url(path), f"caption {n}") for n, path in enumerate(paths)]
    return UrlList(name, lambda: iter(table), len(table))


def pictures(server, n, how="picture"):
    return listed(server, *(f"{how}/{number}.bmp" for number in range(n)))


def fetch(urls, folder, **options):
    return download(urls, folder, **{"limits": HERE, "effort": SMALL, **options})


def test_a_shard_is_laid_out_as_img2dataset_does(server, tmp_path):
    fetch(listed(server, "good.jpg", "404", "html.jpg"), tmp_path)
    assert sorted(path.name for path in (tmp_path / "00000").iterdir()) == [
        "000000.jpg",  # shards of 10 have keys of 5 + 1 digits
        "000000.json",
        "000000.txt",
    ]
    table = pq.read_table(tmp_path / "00000.parquet")
    assert table.column_names == list(COLUMNS)
    assert table["status"].to_pylist() == ["success", "failed_to_download", "failed_to_resize"]
    assert table["key"].to_pylist() == ["000000", "000001", "000002"]
    assert (tmp_path / "00000/000000.txt").read_text() == "caption 0"
    assert json.loads((tmp_path / "00000/000000.json").read_text()) == table.to_pylist()[0]
    stats = json.loads((tmp_path / "00000_stats.json").read_text())
    assert [stats[name] for name in ("count", "successes", "failed_to_resize")] == [3, 1, 1]
    assert stats["status_dict"]["success"] == 1


def test_every_failed_row_says_why_and_the_report_counts(server, tmp_path):
    urls = listed(server, "good.jpg", "404/1", "404/2", "hang-up", "file", "good.png")
    table = fetch(urls, tmp_path)
    assert dict(zip(table["reason"], table["count"], strict=True)) == {
        "": 2,
        "gone": 2,
        "no connection": 1,
        "bad URL": 1,
    }
    assert table["share"].sum() == pytest.approx(1)
    assert "2 of 6 pictures loaded; 4 (66.7 %) did not" in summary(table)
    assert "no longer there" in rows(tmp_path)["error_message"][1]
    pd.testing.assert_frame_equal(report(tmp_path), table)


def test_large_pictures_are_made_small_and_their_size_is_remembered(server, tmp_path):
    fetch(listed(server, "good.png"), tmp_path, saving=Saving(max_side=16, format="webp"))
    (row,) = rows(tmp_path).to_dict("records")
    assert open_picture(tmp_path / "00000/000000.webp").size == (16, 12)
    assert [row[c] for c in ("width", "height", "original_width", "original_height")] == [
        *(16, 12),
        *(64, 48),
    ]


def test_an_original_keeps_its_bytes_and_is_named_for_what_it_is(server, tmp_path):
    from hostile_server import PNG

    fetch(listed(server, "good.png/a.jpg"), tmp_path, saving=Saving(None, "original"))
    assert (tmp_path / "00000/000000.png").read_bytes() == PNG


def test_a_notebook_whose_event_loop_runs_may_download_too(server, tmp_path):
    async def notebook():
        return fetch(listed(server, "picture/1", "404"), tmp_path)

    assert asyncio.run(notebook())["count"].tolist() == [1, 1]


@pytest.fixture
def heeds_interrupts():
    """What runs in the background of a shell ignores Ctrl-C from its start; a notebook does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_in_a_notebook_ends_the_download(tmp_path, heeds_interrupts):
    def interrupt():
        while not server.asked["/hang/interrupted"]:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    async def notebook():
        Thread(target=interrupt, daemon=True).start()
        return fetch(listed(server, "hang/interrupted"), tmp_path)

    with HostileServer() as server, closing(asyncio.new_event_loop()) as loop:
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(notebook())
        assert time.monotonic() < start + 1.5


def test_a_second_run_asks_for_nothing(server, tmp_path):
    urls = listed(server, *(f"picture/{n}" for n in range(25)), "404/once")
    first = fetch(urls, tmp_path)
    server.asked.clear()
    pd.testing.assert_frame_equal(fetch(urls, tmp_path), first)
    assert not server.asked


def test_more_rows_of_the_same_list_can_be_had_later(server, tmp_path):
    urls = pictures(server, 25)
    fetch(urls, tmp_path, first=13)
    server.asked.clear()
    fetch(urls, tmp_path)
    assert set(server.asked.values()) == {1} and len(server.asked) == 12
    assert rows(tmp_path)["key"].tolist() == [f"{n // 10:05d}{n % 10}" for n in range(25)]


def test_failed_rows_are_tried_again_on_request_only(server, tmp_path):
    urls = listed(server, *(f"404-then-good/{n}" for n in range(12)), "good.jpg", "403")
    assert fetch(urls, tmp_path)["count"].tolist() == [1, 12, 1]
    before = dict(server.asked)
    assert fetch(urls, tmp_path, retry=["gone"])["count"].tolist() == [13, 1]
    asked_again = {path for path, times in server.asked.items() if times > before.get(path, 0)}
    assert asked_again == {f"/404-then-good/{n}" for n in range(12)}


def test_a_notice_under_many_urls_is_found_out_and_taken_out_again(server, tmp_path):
    paths = [f"notice.jpg/{n}.jpg" for n in range(3)] + [f"picture/{n}" for n in range(9)]
    table = fetch(listed(server, *paths), tmp_path, effort=Effort(1, 1, shard_size=2))
    assert dict(zip(table["reason"], table["count"], strict=True)) == {"": 9, "placeholder": 3}
    assert len(list(tmp_path.glob("0*/*.jpg"))) == 9
    assert len(load_img2dataset(tmp_path)) == 9


def test_the_same_url_twice_is_no_placeholder(server, tmp_path):
    table = fetch(listed(server, *["notice.jpg/same.jpg"] * 12), tmp_path)
    assert table["count"].tolist() == [12]


def test_no_server_gets_more_requests_at_once_than_allowed(server, tmp_path):
    server.most_at_once = 0
    fetch(pictures(server, 30, "napping"), tmp_path, effort=Effort(16, 3, 10))
    assert server.most_at_once == 3


def test_two_processes_do_not_work_in_one_folder(server, tmp_path):
    with folder_lock(tmp_path), pytest.raises(FolderBusy, match="another process"):
        fetch(pictures(server, 1), tmp_path)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"saving": Saving(99)}, "begun with"),
        ({"effort": Effort(1, 1, 7)}, "begun with"),
        ({"urls": "another"}, "another list"),
        ({"retry": ["no reason"]}, "no reasons"),
    ],
)
def test_a_folder_is_continued_only_as_it_was_begun(server, tmp_path, change, error):
    fetch(pictures(server, 3), tmp_path)
    if "urls" in change:
        change = {"urls": listed(server, "picture/7", "picture/8", "picture/9")}
    with pytest.raises(ValueError, match=error):
        fetch(**{"urls": pictures(server, 3), "folder": tmp_path, **change})


def test_a_folder_with_other_files_is_left_alone(server, tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(ValueError, match="other files"):
        fetch(pictures(server, 3), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_a_full_disk_is_said_and_what_was_had_is_kept(server, tmp_path, monkeypatch):
    urls, write = pictures(server, 10), Path.write_bytes

    def full_soon(path, data):
        if path.name >= "000006":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full_soon)
    with pytest.raises(DiskError, match="no room left"):
        fetch(urls, tmp_path, effort=Effort(1, 1, 10))
    monkeypatch.undo()
    server.asked.clear()
    fetch(urls, tmp_path, effort=Effort(1, 1, 10))
    assert sorted(server.asked) == [f"/picture/{n}.bmp" for n in range(6, 10)]


def test_a_journal_cut_off_and_a_picture_cut_off_are_both_made_good(server, tmp_path):
    urls = pictures(server, 9)
    fetch(urls, tmp_path)
    whole = {path.name: path.read_bytes() for path in (tmp_path / "00000").iterdir()}
    _as_if_killed(tmp_path, half_of_the_last_line=True)
    (tmp_path / "00000/000003.jpg").write_bytes(b"\xff\xd8 half")
    (tmp_path / "00000/000008.webp").write_bytes(b"of a row that is not settled")
    server.asked.clear()
    fetch(urls, tmp_path)
    assert sorted(server.asked) == ["/picture/3.bmp", "/picture/8.bmp"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "00000").iterdir()} == whole


def _as_if_killed(folder, half_of_the_last_line):
    """Turn the finished shard 0 back into one whose process was killed."""
    from sigscope.downloads.shard import DownloadShard

    table = rows(folder)
    shard = DownloadShard(folder, 0, list(zip(table["url"], table["caption"], strict=True)), 1)
    shard.reopen(lambda row: True)
    shard.table.unlink()
    lines = shard.journal.read_text()
    shard.journal.write_text(lines[: len(lines) - 60 * half_of_the_last_line])


def test_a_killed_journal_of_another_list_is_not_continued(server, tmp_path):
    fetch(pictures(server, 9), tmp_path)
    _as_if_killed(tmp_path, half_of_the_last_line=False)
    with pytest.raises(ListChanged):
        fetch(listed(server, *(f"picture/{n}" for n in range(100, 109))), tmp_path)


KILLED = """
import sys
from sigscope.downloads import Limits, UrlList, download
from sigscope.downloads.pictures import Saving
from sigscope.downloads.run import Effort
port, n, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]

def urls():
    for i in range(n):
        how = ("picture", "picture", "picture", "404", "no URL")[i % 5]
        url = f"http://127.0.0.1:{port}/{how}/{i}" if how != "no URL" else how
        yield url, f"caption {i}"

effort = Effort(16, 16, 2500)
saving = Saving(None, "original")
limits = Limits(read_s=2, total_s=4, backoff_s=0.01, allowed=("127.0.0.1/32",))
download(UrlList("many", urls, n), folder, limits=limits, saving=saving, effort=effort)
"""


@pytest.mark.slow
def test_ten_thousand_rows_survive_a_kill_with_nothing_lost_or_doubled(tmp_path):
    """A fifth of the pictures is gone, and a fifth of the rows has no URL."""
    n, folder = 10_000, tmp_path / "pictures"
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT)}
    server = subprocess.Popen(
        [sys.executable, SUPPORT / "hostile_server.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = server.stdout.readline().strip()
        command = [sys.executable, "-c", KILLED, port, str(n), str(folder)]
        process = subprocess.Popen(command, env=environment)
        _wait_for(folder, 0.45 * n, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        subprocess.run(command, env=environment, check=True)
    finally:
        server.communicate("stop\n")
    _check_whole(folder, n)


def _wait_for(folder, settled, process):
    while process.poll() is None:
        journals = (path.read_bytes().count(b"\n") for path in folder.glob("*.journal"))
        if 2500 * len(list(folder.glob("*_stats.json"))) + sum(journals) >= settled:
            return
        time.sleep(0.05)


def _check_whole(folder, n):
    table = rows(folder)
    assert table["key"].tolist() == [f"{i // 2500:05d}{i % 2500:04d}" for i in range(n)]
    assert table["caption"].tolist() == [f"caption {i}" for i in range(n)]
    assert Counter(table["status"]) == {"success": n * 3 // 5, "failed_to_download": n * 2 // 5}
    assert table["sha256"].dropna().nunique() == n * 3 // 5
    loaded = table.loc[table["status"] == "success", "key"]
    for suffix in (".bmp", ".txt", ".json"):
        assert sorted(path.stem for path in folder.glob(f"0*/*{suffix}")) == loaded.tolist()
    assert not list(folder.glob("*.journal"))


def with_notices(server):
    """Twelve notices with a hint, twelve without, and 36 pictures, all mixed."""
    ways = ("notice.jpg/{}.jpg", "good.png/{}", *["picture/{}.bmp"] * 3)
    return listed(server, *(ways[n % 5].format(n) for n in range(60)))


def kept(folder) -> dict[str, bytes]:
    """Every picture of a download and its bytes."""
    found = [path for path in folder.glob("0*/*") if path.suffix not in (".txt", ".json")]
    return {path.name: path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def undisturbed(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    table = fetch(with_notices(server), folder)
    assert dict(zip(table["reason"], table["count"], strict=True)) == {"": 36, "placeholder": 24}
    return kept(folder), rows(folder)[["key", "status", "reason"]]


@pytest.mark.parametrize("first", [1, 12, 30, 44, 59])
def test_a_list_had_in_two_runs_has_the_pictures_of_one(server, tmp_path, first, undisturbed):
    fetch(with_notices(server), tmp_path, first=first)
    fetch(with_notices(server), tmp_path)
    assert kept(tmp_path) == undisturbed[0]


@pytest.mark.parametrize("settled", [0, 5, 11, 20, 33, 47, 59])
def test_stopped_anywhere_and_gone_on_with_it_has_the_same_set_of_pictures(
    server, tmp_path, monkeypatch, settled, undisturbed
):
    from sigscope.downloads.shard import DownloadShard

    left, add = iter(range(settled)), DownloadShard.add

    def add_or_stop(self, record):
        if next(left, None) is None:
            raise ZeroDivisionError
        return add(self, record)

    with monkeypatch.context() as dying, pytest.raises(ZeroDivisionError):
        dying.setattr(DownloadShard, "add", add_or_stop)
        fetch(with_notices(server), tmp_path)
    fetch(with_notices(server), tmp_path)
    assert kept(tmp_path) == undisturbed[0]
    pd.testing.assert_frame_equal(rows(tmp_path)[["key", "status", "reason"]], undisturbed[1])
    assert not list(tmp_path.glob("*.journal"))


def test_tables_of_a_version_without_formats_are_gone_on_with(server, tmp_path, undisturbed):
    fetch(with_notices(server), tmp_path, first=40)
    for path in tmp_path.glob("*.parquet"):
        table = pq.read_table(path)
        pq.write_table(table.drop_columns(["format"]), path)
    fetch(with_notices(server), tmp_path)
    assert kept(tmp_path) == undisturbed[0]
