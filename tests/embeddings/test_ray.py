"""Ray, started for real with two processes: the same store as without it, whatever is killed."""

import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from contextlib import suppress
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import checkpoints
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hostile_server import HostileServer
from toy import ToyEncoder, write_gallery

from sigscope import files, paths
from sigscope.cli.main import main
from sigscope.datasets import url_tables
from sigscope.datasets.load import load_gallery
from sigscope.downloads.limits import Limits
from sigscope.embeddings import embed, embed_gallery
from sigscope.embeddings.ray_engine import MISSING, RayEngine, RayError
from sigscope.models.encoder import Encoder

pytestmark = pytest.mark.flaky(reruns=2)  # Ray gives itself 30 s to start, however busy all is
needs_ray = pytest.mark.skipif(
    not find_spec("ray"), reason="ray is not installed; make test-extras has it"
)
if find_spec("ray"):
    from embed_by_ray import SIZES, DyingEncoder, NotingEncoder, OtherEncoder
N = 60
SUPPORT = Path(__file__).parents[1] / "support"
WAIT_S = 60


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    for name in ("SIGSCOPE_ENGINE", "SIGSCOPE_ENGINE_ADDRESS"):
        monkeypatch.setenv(name, "")  # which the command line changes


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Sixty pictures, one of them broken: ten shards."""
    folder = write_gallery(tmp_path_factory.mktemp("ray") / "gallery", N)
    (folder / "009-green.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    return folder


@pytest.fixture(scope="module")
def plain(folder, tmp_path_factory):
    """The files of a store that this process has made alone."""
    store = tmp_path_factory.mktemp("plain") / "store"
    embed_gallery(load_gallery(folder), ToyEncoder(), store, **SIZES)
    return hashes(store)


@pytest.fixture(scope="module")
def cluster():
    """Ray with two processors, which a worker each will have."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        for name, value in surroundings().items():
            patch.setenv(name, value)
        how = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
        ray.init("local", num_cpus=2, object_store_memory=100_000_000, **how)
    yield ray
    ray.shutdown()


@pytest.fixture
def notes(tmp_path):
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes"


def surroundings() -> dict[str, str]:
    """Return the environment in which processes find this package and the encoders of tests."""
    places = [str(paths.ROOT / "lib"), str(SUPPORT), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": os.pathsep.join(places), "RAY_USAGE_STATS_ENABLED": "0"}


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below folder, hidden ones included."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): files.sha256(path) for path in found}


def living(notes: Path) -> list[int]:
    """Return the processes that have noted something and are there still."""
    pids = [int(path.name) for path in notes.iterdir()]
    return [pid for pid in pids if is_alive(pid)]


def is_alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def embed_by_ray(folder, encoder, store, **how):
    return embed_gallery(
        load_gallery(folder), encoder, store, **{**SIZES, **how}, engine=RayEngine(cores=1)
    )


@needs_ray
def test_two_processes_write_what_one_would_and_tell_how_far_they_are(
    cluster, folder, plain, notes, tmp_path
):
    told = []
    made = embed_by_ray(
        folder, NotingEncoder(notes), tmp_path / "store", progress=lambda *how: told.append(how)
    )
    assert hashes(tmp_path / "store") == plain
    assert len(list(notes.iterdir())) == 2 and str(os.getpid()) not in os.listdir(notes)
    assert told[-1] == (N, N) and told == sorted(told)
    assert made.failed["id"].tolist() == ["009-green.png"]
    assert "cannot be read" in made.failed["reason"][0]


@needs_ray
def test_what_changes_is_made_anew_and_what_is_known_is_not(cluster, notes, tmp_path):
    folder, store = write_gallery(tmp_path / "gallery", 20), tmp_path / "store"
    embed_by_ray(folder, ToyEncoder(), store)
    write_gallery(folder, 23)
    other = tmp_path / "other"
    embed_gallery(load_gallery(folder), ToyEncoder(), other, **SIZES)
    embed_by_ray(folder, NotingEncoder(notes), store)
    seen = sum(len(path.read_text().splitlines()) for path in notes.iterdir())
    assert hashes(store) == hashes(other)
    assert seen == 3 + 3, "three pictures, and of each the caption that none had before"


@needs_ray
@pytest.mark.parametrize("name", ["siglip", "clip"])
def test_a_checkpoint_has_the_very_vectors_of_the_plain_path(cluster, folder, name, tmp_path):
    """With as many threads as a worker has: what a sum rounds to hangs on how it is split."""
    encoder = Encoder.load(checkpoints.MAKERS[name](tmp_path / name))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        embed_gallery(load_gallery(folder), encoder, tmp_path / "plain", **SIZES)
    finally:
        torch.set_num_threads(threads)
    embed_by_ray(folder, encoder, tmp_path / "ray")
    assert hashes(tmp_path / "ray") == hashes(tmp_path / "plain")


@needs_ray
def test_workers_that_are_killed_are_started_again_and_nothing_is_lost(
    cluster, folder, plain, notes, tmp_path
):
    killed, rng = [], random.Random(0)

    def kill(done, total):
        alive = living(notes)
        if 0 < done < total and alive and len(killed) < 3:
            killed.append(rng.choice(alive))
            os.kill(killed[-1], signal.SIGKILL)

    embed_by_ray(folder, NotingEncoder(notes), tmp_path / "store", progress=kill)
    assert len(killed) == 3
    assert hashes(tmp_path / "store") == plain


@needs_ray
@pytest.mark.slow
def test_a_run_that_is_killed_ten_times_has_every_picture_once(cluster, notes, tmp_path):
    """Each run is killed at a moment that nobody has chosen, every second time with its workers."""
    folder, store = write_gallery(tmp_path / "gallery", 8 * N), tmp_path / "store"
    embed_gallery(load_gallery(folder), ToyEncoder(), tmp_path / "plain", **SIZES)
    script = [sys.executable, SUPPORT / "embed_by_ray.py", folder, store, notes]
    script.append(cluster.get_runtime_context().gcs_address)
    rng, told = random.Random(0), []
    for number in range(10):
        with subprocess.Popen(
            script, stdout=subprocess.PIPE, text=True, env={**os.environ, **surroundings()}
        ) as run:
            done = begun = int(run.stdout.readline() or 0)
            while done < begun + rng.randint(1, 18) and (line := run.stdout.readline()):
                done = int(line)
            time.sleep(rng.random() / 10)
            for pid in living(notes) if number % 2 else []:
                os.kill(pid, signal.SIGKILL)
            run.kill()
        until = time.monotonic() + WAIT_S
        while living(notes) and time.monotonic() < until:
            time.sleep(0.05)
        told.append(len(list(store.glob("making/*/record.json"))))
        print(f"kill {number + 1}: {done} of {8 * N} told, {told[-1]} shards whole", flush=True)
    assert told == sorted(told) and told[0] < told[-1] < 8 * N // SIZES["shard_size"]
    embed_by_ray(folder, ToyEncoder(), store)
    assert hashes(store) == hashes(tmp_path / "plain")


@needs_ray
@pytest.mark.parametrize("what", ["the run", "all"])
def test_a_run_that_is_killed_goes_on_where_it_was(what, cluster, folder, plain, notes, tmp_path):
    store = tmp_path / "store"
    script = [sys.executable, SUPPORT / "embed_by_ray.py", folder, store, notes]
    with subprocess.Popen(
        script, stdout=subprocess.PIPE, text=True, env={**os.environ, **surroundings()}
    ) as run:
        while int(run.stdout.readline()) < 12:
            pass
        for pid in living(notes) if what == "all" else []:
            os.kill(pid, signal.SIGKILL)
        run.kill()
    until = time.monotonic() + WAIT_S
    while living(notes) and time.monotonic() < until:
        time.sleep(0.05)
    assert not living(notes), "workers end with their run"
    whole = len(list(store.glob("making/*/record.json")))
    assert 2 <= whole < 10
    again = tmp_path / "again"
    again.mkdir()
    embed_by_ray(folder, NotingEncoder(again), store)
    assert hashes(store) == plain
    seen = sum(len(path.read_text().splitlines()) for path in again.iterdir())
    assert seen < 2 * N, "what was whole is not made again"


@needs_ray
def test_a_picture_that_kills_each_worker_ends_the_run_with_its_name(cluster, folder, tmp_path):
    with pytest.raises(RayError, match=r"died 5 times at \d+-\w+\.png .* goes on where it stopped"):
        embed_by_ray(folder, DyingEncoder(), tmp_path / "store")


@needs_ray
def test_a_worker_with_another_model_under_the_name_is_refused(cluster, folder, tmp_path):
    with pytest.raises(RayError, match="has another model than toy is where this was started"):
        embed_by_ray(folder, OtherEncoder(), tmp_path / "store")


@needs_ray
@pytest.mark.parametrize("unseen", ["pictures", "store"])
def test_folders_that_workers_do_not_see_are_named(cluster, folder, unseen, tmp_path, monkeypatch):
    from sigscope.embeddings import worker

    made = worker.Workshop

    def elsewhere(**how):
        changed = {"sample": (Path("/nowhere/a.png"), 7)} if unseen == "pictures" else {}
        return made(**{**how, **(changed or {"folder": Path("/nowhere/store")})})

    monkeypatch.setattr(worker, "Workshop", elsewhere)
    place = folder if unseen == "pictures" else "/nowhere/store"
    with pytest.raises(RayError, match=f"the worker on .* does not see .*{place}"):
        embed_by_ray(folder, ToyEncoder(), tmp_path / "store")


def shards_of(kind: str, folder: Path, home: Path, server: HostileServer) -> str:
    """Write twenty pictures of a gallery as a table of URLs, as parquet, or as webdataset's tar."""
    home.mkdir()
    names = sorted(path.name for path in folder.glob("*.png"))[:20]
    data = [(folder / name).read_bytes() for name in names]
    if kind == "urls":
        rows = "".join(f"{server.url(f'picture/{n}')},no {n}\n" for n in range(20))
        (home / "list.csv").write_text(f"url,caption\n{rows}{server.url('404')},gone\n")
        return f"urls:{home / 'list.csv'}"
    if kind == "parquet":
        images = [{"bytes": each, "path": name} for each, name in zip(data, names, strict=True)]
        table = pa.table({"image": images, "text": [f"a {name[4:-4]} square" for name in names]})
        pq.write_table(table, home / "train-00000.parquet")
        return str(home)
    with tarfile.open(home / "00000.tar", "w") as tar:
        for name, each in zip(names, data, strict=True):
            for member, content in (
                (name, each),
                (f"{name[:-4]}.txt", f"a {name[4:-4]} square".encode()),
            ):
                entry = tarfile.TarInfo(member)
                entry.size = len(content)
                tar.addfile(entry, BytesIO(content))
    return str(home)


@needs_ray
@pytest.mark.parametrize("kind", ["urls", "parquet", "webdataset"])
def test_a_table_of_urls_parquet_and_tars_are_embedded_as_folders_are(
    kind, cluster, folder, notes, tmp_path, monkeypatch
):
    monkeypatch.setattr(url_tables, "LIMITS", Limits(allowed=("127.0.0.1/32",)))
    with HostileServer() as server:
        source = shards_of(kind, folder, tmp_path / "shards", server)
        embed_gallery(load_gallery(source), ToyEncoder(), tmp_path / "plain", **SIZES)
    made = embed_by_ray(source, NotingEncoder(notes), tmp_path / "store")  # and no server is asked
    assert hashes(tmp_path / "store") == hashes(tmp_path / "plain")
    assert os.listdir(notes) and str(os.getpid()) not in os.listdir(notes)
    assert len(made) + len(made.failed) == 20 and len(made.captions) == len(made)
    if kind == "urls":
        assert load_gallery(source).problems["reason"].str.contains("404").tolist() == [True]


@needs_ray
def test_the_command_line_chooses_the_engine(cluster, folder, capsys):
    assert main(["embed", "--pictures", str(folder), "--engine", "ray"]) == 0
    said = capsys.readouterr()
    assert "59 pictures are searchable" in said.out and "60/60" in said.err


@needs_ray
@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "auto"])
def test_an_address_that_does_not_answer_is_one_sentence(
    address, folder, capsys, monkeypatch, request
):
    import ray

    if ray.is_initialized():
        ray.shutdown()
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    command = ["embed", "--pictures", str(folder), "--engine", "ray", "--address", address]
    assert main(command) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"no Ray cluster answers at {address} (") and "ray start" in said


@pytest.mark.parametrize(
    ("gpu", "room"),
    [
        ("", (3, {"num_gpus": 1, "num_cpus": 1})),
        ("0.5", (6, {"num_gpus": 0.5, "num_cpus": 1})),
        (".3", (9, {"num_gpus": 0.3, "num_cpus": 1})),
        ("0", (5, {"num_cpus": 4})),
    ],
)
def test_workers_take_as_much_of_each_gpu_as_is_set(gpu, room, monkeypatch):
    sizes = [{"CPU": 8.0, "GPU": 2.0}, {"CPU": 12.0, "GPU": 1.0}, {"memory": 1.0}]
    ray = SimpleNamespace(nodes=lambda: [{"Alive": True, "Resources": each} for each in sizes])
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setenv("SIGSCOPE_ENGINE", "ray")
    monkeypatch.setenv("SIGSCOPE_ENGINE_GPU", gpu)
    assert embed._engine_set()._room(ray) == room


def test_a_share_of_a_gpu_that_is_none_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    monkeypatch.setenv("SIGSCOPE_ENGINE", "ray")
    monkeypatch.setenv("SIGSCOPE_ENGINE_GPU", "two")
    with pytest.raises(ValueError, match="SIGSCOPE_ENGINE_GPU is 'two'; it is a share of a GPU"):
        embed._engine_set()


def test_without_ray_the_extra_is_named(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["embed", "--pictures", str(folder), "--engine", "ray"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == MISSING


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (["--engine", "spark"], "there is no engine 'spark'; choose from local, ray"),
        (["--address", "auto"], "the address auto is of no use here; choose the engine ray"),
    ],
)
def test_settings_that_mean_nothing_are_refused(setting, said, folder, capsys):
    assert main(["embed", "--pictures", str(folder), *setting]) == 1
    assert said in capsys.readouterr().err
