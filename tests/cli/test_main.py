"""The command line: what it prints to whom, its statuses, and that trouble is one sentence."""

import json
import os
import re
import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from reader_checkpoints import blip
from toy import ToyEncoder, write_gallery

from sigscope import paths
from sigscope.cli import main as commands
from sigscope.cli import output
from sigscope.models import bert, checkpoints, encoder

README = (paths.ROOT / "README.md").read_text(encoding="utf-8")
STARTING = {"run", "explorer", "notebooks"}
FINDING = {"search", "evaluate", "compare", "recommend", "map"}
NAMES = STARTING | FINDING | {"embed", "duplicates", "download", "report", "clean"}


@pytest.fixture(autouse=True)
def _own_homes(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(paths, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setenv("SIGSCOPE_MODEL", "")


@pytest.fixture
def towers(monkeypatch):
    """The towers that were loaded, one entry a load; what is loaded is a toy."""
    loaded = []

    def load(model=None, *, towers=("text", "image"), **_):
        loaded.append(tuple(towers))
        return ToyEncoder()

    monkeypatch.setattr(encoder.Encoder, "load", load)
    monkeypatch.setattr(bert.BertText, "load", lambda: None)  # a toy is no BERT
    monkeypatch.setattr(checkpoints, "called", lambda model=None: ToyEncoder().model)
    return loaded


@pytest.fixture
def root(tmp_path):
    return write_gallery(tmp_path / "My Photos", 12)


def said(capsys) -> str:
    """Return what was printed on stderr, which must be one sentence."""
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and "Traceback" not in text
    return text


def modules_after(statement: str) -> set[str]:
    """Return the modules that a new process has imported after a statement."""
    code = f"{statement}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_every_command_is_listed_and_has_help_with_what_it_takes(capsys):
    assert commands.main(["--help"]) == 0
    listed = capsys.readouterr().out
    for name in sorted(NAMES):
        assert re.search(rf"^│ {name} ", listed, re.M)
        assert commands.main([name, "--help"]) == 0
        assert f"sigscope {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["run", *sorted(FINDING), "duplicates"])
def test_help_teaches_by_examples_that_are_understood(name, capsys):
    commands.main([name, "--help"])
    examples = re.findall(rf"^ +sigscope {name}\b.*", capsys.readouterr().out, re.M)
    assert len(examples) >= 2
    options = {word for line in examples for word in re.findall(r" (--[a-z-]+)", line)}
    commands.main([name, "--help"])
    help_text = capsys.readouterr().out.split("Examples:")[0]
    assert all(option in help_text for option in options)


def test_commands_of_the_readme_are_there_with_their_options(capsys):
    shown = re.findall(r"^    (?:\S+=\S+ )?sigscope ([a-z]+)(.*)", README, re.M)
    assert {name for name, _ in shown} >= FINDING | {"duplicates"}
    for name, rest in shown:
        assert commands.main([name, "--help"]) == 0
        help_text = capsys.readouterr().out
        assert all(option in help_text for option in re.findall(r"--[a-z-]+", rest)), name


def test_files_and_modules_of_the_readme_are_there():
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", README)
    roots = [paths.ROOT, paths.ROOT / "lib/sigscope"]
    made_later = {"data/cache/", "data/cache"}
    assert named
    for name in set(named) - made_later:
        assert any((root / name).exists() for root in roots), name
    for name in re.findall(r"`(sigscope(?:\.\w+)+)`", README):
        assert (paths.ROOT / "lib" / name.replace(".", "/")).exists(), name


@pytest.mark.parametrize(
    "words", [["sing"], ["search", "cat", "--frames"], ["search"], ["search", "cat", "-k", "0"]]
)
def test_what_is_not_understood_ends_with_status_2(words, capsys):
    assert commands.main(words) == 2
    printed = capsys.readouterr()
    assert "Usage: sigscope" in printed.err and not printed.out


def test_fault_of_ours_is_one_sentence_and_a_file_that_says_where(capsys, monkeypatch):
    monkeypatch.setattr("sigscope.cache.unused", lambda days: {}["no such key"])
    assert commands.main(["clean"]) == 1
    sentence, file = said(capsys), paths.CACHE / "fault.txt"
    assert "fault of sigscope" in sentence and "no such key" in sentence and str(file) in sentence
    assert "KeyError" in file.read_text() and "in clean" in file.read_text()


def test_trouble_is_one_sentence_and_status_1(capsys):
    assert commands.main(["search", "cat", "--pictures", "/nowhere"]) == 1
    assert "There is no folder /nowhere" in said(capsys)


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "goes on where it was"),
        (MemoryError(), 1, "not enough memory"),
        (RuntimeError("the engine\n  has stopped"), 1, "the engine has stopped"),
        (PermissionError(13, "Permission denied", "vectors"), 1, "Permission denied: vectors"),
    ],
)
def test_whatever_stops_a_command_is_told_with_its_status(
    error, status, words, monkeypatch, capsys
):
    def stop(*_):
        raise error

    monkeypatch.setattr("sigscope.cache.unused", stop)
    assert commands.main(["clean"]) == status
    assert words in capsys.readouterr().err


def test_version_is_said(capsys):
    assert commands.main(["--version"]) == 0
    assert re.fullmatch(r"sigscope \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_words_find_pictures_with_the_text_tower_alone_once_they_are_embedded(towers, root, capsys):
    words = ["search", "red", "--pictures", str(root), "-k", "3"]
    assert commands.main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["rank"] for row in found] == [1, 2, 3]
    assert "red" in found[0]["caption"] and os.path.isfile(found[0]["path"])
    assert towers == [("text", "image")]
    assert commands.main(words) == 0
    assert towers[1:] == [("text",)]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("\t")[:3] == ["rank", "id", "score"]
    assert [line.split("\t")[1] for line in lines[1:]] == [row["id"] for row in found]


def test_words_find_shipped_pictures_before_torch_could_be_imported():
    run = "from sigscope.cli.main import main; assert main(['search', 'a red bus', '-k', '3']) == 0"
    loaded = modules_after(run)
    assert "images/transport/bus.webp" in loaded  # what was printed is in it
    assert not loaded & {"torch", "transformers", "httpx"}


def test_a_picture_finds_itself_and_less_like_puts_its_own_kind_down(towers, root, capsys):
    picture = next(root.rglob("*red*.png"))
    words = ["search", "--picture", str(picture), "--pictures", str(root), "--json"]
    assert commands.main(words) == 0
    plain = json.loads(capsys.readouterr().out)
    assert plain[0]["path"] == str(picture)
    assert commands.main([*words, "--less-like", "red"]) == 0
    assert json.loads(capsys.readouterr().out) != plain


def test_by_words_only_what_has_them_written_is_found(towers, root, capsys):
    words = ["search", "red", "--pictures", str(root), "--json", "-k", "50"]
    found = {}
    for by in ("both", "meaning", "words"):
        assert commands.main([*words, "--by", by]) == 0
        found[by] = json.loads(capsys.readouterr().out)
    assert commands.main(words) == 0
    assert json.loads(capsys.readouterr().out) == found["both"]
    assert all("red" in row["caption"] for row in found["words"])
    assert len(found["words"]) < len(found["meaning"]) == len(found["both"])
    assert commands.main([*words, "--by", "luck"]) == 2


def test_another_spelling_is_said_beside_the_table(towers, root, capsys):
    assert commands.main(["search", "yelow", "--pictures", str(root), "--json"]) == 0
    said = capsys.readouterr()
    assert "Did you mean 'yellow'?" in said.err and json.loads(said.out)


def test_duplicates_are_listed_and_may_be_told_by_the_status(root, capsys):
    words = ["duplicates", "--pictures", str(root), "--same-files", "--json", "--exit-code"]
    first, second, *_ = sorted(root.rglob("*.png"))
    second.write_bytes(first.read_bytes())
    assert commands.main(words) == 3
    found = json.loads(capsys.readouterr().out)
    assert {found[0]["id"], found[0]["kept"]} == {first.name, second.name}
    second.unlink()
    metadata = root / "metadata.jsonl"
    lines = [line for line in metadata.read_text().splitlines() if second.name not in line]
    metadata.write_text("\n".join(lines) + "\n")
    assert commands.main(words) == 0


def test_table_is_drawn_on_a_terminal_with_the_columns_there_is_room_for(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    table = pd.DataFrame({"name": ["a [b]"], "score": [0.12345], "x": [np.nan], "long": ["words"]})
    output.print_table(table, columns=("name", "score", "x"), digits={"score": ".3f"})
    drawn = capsys.readouterr().out
    assert "a [b]" in drawn and "0.123 " in drawn and "nan" not in drawn and "words" not in drawn


def test_json_of_what_is_not_known_is_null_and_text_stays_text(capsys):
    output.print_table(pd.DataFrame({"x": [np.nan], "name": ["é/ü"]}), as_json=True)
    text = capsys.readouterr().out
    assert json.loads(text) == [{"x": None, "name": "é/ü"}] and "é/ü" in text


HEAVY = {"torch", "faiss", "transformers", "pandas", "numpy", "scipy", "sklearn", "plotly", "numba"}


def test_import_of_the_package_brings_nothing_heavy():
    modules = modules_after("import sigscope; dir(sigscope)")
    assert not modules & HEAVY and len(modules) < 120


@pytest.mark.parametrize("statement", ["import sigscope.cli", "import sigscope.cli.main"])
def test_command_line_starts_with_nothing_heavy(statement):
    assert not modules_after(statement) & (HEAVY | {"nbformat", "httpx", "pyarrow"})


def test_names_of_the_package_are_thirteen_and_come_from_faces():
    import sigscope

    assert len(sigscope.__all__) == 13 and dir(sigscope) == sigscope.__all__
    assert all(getattr(sigscope, name).__doc__ for name in sigscope.__all__ if name != "INDEXES")


def test_shell_completion_knows_commands_and_options():
    environment = {**os.environ, "_SIGSCOPE_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    for words, wanted in (("sigscope se", "search"), ("sigscope recommend --rec", "--recall")):
        environment |= {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        done = subprocess.run(
            [sys.executable, "-m", "sigscope"], env=environment, capture_output=True, text=True
        )
        assert wanted in done.stdout.split()


def test_evaluate_sets_a_report_beside_here(towers, tmp_path, capsys):
    root = write_gallery(tmp_path / "Toys", 60)
    assert commands.main(["evaluate", str(root), "--protocol", "captions", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["of"] for row in rows} == {"R1", "R4"}
    shares = [row["here"] for row in rows if row["figure"].startswith("Recall@")]
    assert shares and all(0 <= share <= 1 for share in shares if share is not None)
    assert all("Toys" in row["depends_on"] for row in rows if row["here"] is not None)


def test_evaluate_tells_what_fewer_numbers_find(towers, tmp_path, capsys):
    root = write_gallery(tmp_path / "Toys", 60)
    assert commands.main(["evaluate", str(root), "--by", "dimension", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["direction"] for row in rows} == {"text to image", "image to text"}
    whole = max(row["bytes"] for row in rows)
    assert all(row["behind"] == 0 for row in rows if row["bytes"] == whole)


def test_search_reads_the_first_results_again_when_told(towers, root, tmp_path, capsys):
    reader = str(blip(tmp_path / "blip"))
    words = ["search", "a red square", "--pictures", str(root), "--json", "--rerank", reader]
    assert commands.main([*words, "-k", "3"]) == 0
    told = capsys.readouterr()
    rows = json.loads(told.out)
    assert "12 pictures read in" in told.err and all(row["read"] for row in rows)
    assert [row["score"] for row in rows] == sorted((r["score"] for r in rows), reverse=True)
    assert commands.main([*words, "--less-like", "blue"]) == 2
    assert "reads words alone" in capsys.readouterr().err


def test_compare_holds_two_checkpoints_against_each_other(checkpoint, tmp_path, capsys):
    root = write_gallery(tmp_path / "Toys", 60, size=32)
    models = [str(checkpoint(name)) for name in ("siglip", "clip")]
    assert commands.main(["compare", *models, "--pictures", str(root), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["model"] for row in found["scores"]} == {"siglip", "clip"}
    assert [row["dimension"] for row in found["costs"]] == [32, 24]
    assert 0 <= found["likeness"][0]["cka"] <= 1 and found["warnings"] == []
    assert commands.main(["compare", models[0], "--pictures", str(root)]) == 1
    assert "two or more models of different names" in capsys.readouterr().err


def test_recommend_hands_the_budget_on_and_says_why(towers, tmp_path, monkeypatch, capsys):
    def choose(vectors, asked, **budget):
        given.update(budget, kinds=sorted(asked))
        table = pd.DataFrame({"index": ["flat"]})
        return SimpleNamespace(name="flat", effort=None, met=True, reason="It is.", table=table)

    given = {}
    monkeypatch.setattr(import_module("sigscope.ann.recommend"), "recommend", choose)
    root = write_gallery(tmp_path / "Toys", 60)
    words = ["recommend", "--pictures", str(root), "--memory", "64", "--recall", "0.9", "--json"]
    assert commands.main(words) == 0
    assert (given["memory"], given["recall"], given["latency"]) == (64, 0.9, None)
    assert given["kinds"] == ["image", "text"]
    wanted = {"name": "flat", "effort": None, "met": True, "reason": "It is."}
    assert json.loads(capsys.readouterr().out) == wanted


def test_recommend_says_of_a_few_pictures_that_they_need_no_index(towers, tmp_path, capsys):
    root = write_gallery(tmp_path / "Toys", 3)
    assert commands.main(["recommend", "--pictures", str(root)]) == 1
    assert "Toys has 3 pictures" in capsys.readouterr().err


def test_map_is_one_page_that_asks_nothing_of_the_world(
    towers, root, tmp_path, monkeypatch, capsys
):
    from sigscope.maps import projection

    monkeypatch.setattr(projection, "open_map", lambda found, progress: projection.quick_map(found))
    page = tmp_path / "map.html"
    words = ["map", "--pictures", str(root), "--html", str(page), "--colour-by", "split"]
    assert commands.main(words) == 0
    assert capsys.readouterr().out.startswith("12 points are in ")
    text = page.read_text(encoding="utf-8")
    assert "Plotly.newPlot" in text and not re.search(r'src="https?:', text)


def test_search_by_a_named_index_grows_it_by_new_pictures(towers, root, capsys, caplog):
    caplog.set_level("INFO", "sigscope.search.saved_indexes")
    words = ["search", "red", "--pictures", str(root), "--index", "hnsw", "--json", "-k", "50"]
    assert commands.main(words) == 0
    before = json.loads(capsys.readouterr().out)
    write_gallery(root, len(before) + 1)
    assert commands.main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found) == len(before) + 1
    assert "index hnsw grew from" in caplog.text
    assert commands.main([*words[:-4], "nothing", "--json"]) == 1
    assert "there is no index called 'nothing'; choose from flat" in capsys.readouterr().err
