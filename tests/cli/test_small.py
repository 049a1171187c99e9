"""Very small and very bad galleries: every command ends with a result or a sentence."""

import json
import re

import pytest
from PIL import Image
from toy import COLOURS, ToyEncoder

from sigscope import paths
from sigscope.cli import main as commands
from sigscope.models import checkpoints, encoder

COMMANDS = {
    "search": ["search", "red"],
    "like": ["search", "--picture", "{first}"],
    "words": ["search", "red", "--by", "words"],
    "evaluate": ["evaluate"],
    "map": ["map", "--html", "{page}"],
    "duplicates": ["duplicates"],
    "recommend": ["recommend"],
    "language": ["evaluate", "--by", "language"],
}
ALL_WELL = dict.fromkeys(COMMANDS, 0) | {"recommend": 1, "language": 1}
GALLERIES = {  # what each command's status is, after the status of embed
    "one": (0, ALL_WELL | {"evaluate": 1}),
    "two": (0, ALL_WELL | {"evaluate": 1}),
    "identical": (0, ALL_WELL | {"evaluate": 1}),
    "captioned": (0, ALL_WELL | {"evaluate": 1}),
    "bad": (1, dict.fromkeys(COMMANDS, 1) | {"duplicates": 0}),
    "empty": (1, dict.fromkeys(COMMANDS, 1)),
}


@pytest.fixture(autouse=True)
def _toy(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(paths, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setenv("SIGSCOPE_GALLERY", "")
    monkeypatch.setenv("SIGSCOPE_MODEL", "")
    toy = ToyEncoder()
    toy.describe = lambda: "a toy"
    monkeypatch.setattr(encoder.Encoder, "load", lambda *_, **__: toy)
    monkeypatch.setattr(checkpoints, "called", lambda model=None: ToyEncoder().model)


def made(folder, name):
    folder.mkdir()
    colours = {"one": ["red"], "two": ["red", "blue"], "captioned": ["red", "green", "blue"]}
    for number, colour in enumerate(colours.get(name, ["red"] * 9 if name == "identical" else [])):
        Image.new("RGB", (8, 8), COLOURS[colour]).save(folder / f"{number}.png")
        if name == "captioned":
            (folder / f"{number}.txt").write_text(f"all {colour}")
    for number in range(5 if name == "bad" else 0):
        (folder / f"{number}.png").write_bytes(b"<html>404</html>")
    return folder


@pytest.mark.parametrize("name", GALLERIES)
def test_every_command_ends_with_a_result_or_a_sentence_on_a_gallery_so_small(
    name, tmp_path, capsys
):
    root = made(tmp_path / name, name)
    embedded, expected = GALLERIES[name]
    words = {"first": root / "0.png", "page": tmp_path / "map.html"}
    for _ in range(2):
        assert commands.main(["embed", "--pictures", str(root)]) == embedded
    found = {}
    for command, arguments in COMMANDS.items():
        where = [str(root)] if "evaluate" in arguments else ["--pictures", str(root)]
        found[command] = commands.main([each.format(**words) for each in arguments] + where)
        said = capsys.readouterr()
        assert "Traceback" not in said.err and "CSLS" not in said.err + said.out
        assert not found[command] or re.search(rf"{name} [a-z]{{2,}} .*\n$", said.err)
    assert found == expected


def test_the_match_of_a_query_in_so_few_pictures_tells_nothing(tmp_path, capsys):
    root = made(tmp_path / "two", "two")
    assert commands.main(["search", "red", "--json", "--pictures", str(root)]) == 0
    assert "deviations" not in json.dumps(json.loads(capsys.readouterr().out))
