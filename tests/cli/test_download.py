from hostile_server import HostileServer

from sigscope import paths
from sigscope.cli import main as commands
from sigscope.downloads.lists import default_folder
from sigscope.downloads.records import rows


def test_the_command_downloads_says_what_became_of_it_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    with HostileServer() as server:
        lines = [server.url(path) + "\n" for path in ("good.jpg", "404", "picture/3")]
        (tmp_path / "list.txt").write_text("".join(lines))
        here = ["--allow-network", "127.0.0.1/32"]
        words = ["download", str(tmp_path / "list.txt"), *here, "--first"]
        assert commands.main([*words, "2"]) == 0
        assert "1 of 2 pictures loaded; 1 (50.0 %) did not" in capsys.readouterr().out
        assert commands.main([*words, "3", "--retry-failed", "all"]) == 0
    assert "2 of 3 pictures loaded" in capsys.readouterr().out
    assert server.asked["/404"] == 2 and server.asked["/good.jpg"] == 1
    assert len(rows(default_folder(str(tmp_path / "list.txt")))) == 3
