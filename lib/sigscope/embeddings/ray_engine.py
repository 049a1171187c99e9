"""Ray: the shards of a store are made by many processes, on one machine or on a cluster.

Each worker, one for a GPU or for a few cores where there are none, loads the encoder once and
writes its shards itself, whole or not at all. So all must see the pictures and the store under
the same paths. A worker that dies is started again and makes its shards anew; when the run itself
dies, its workers end, and the next run goes on with the shards that are whole.
"""

import os
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from functools import partial
from itertools import islice
from typing import Any

from sigscope import paths
from sigscope.arguments import real, whole
from sigscope.embeddings.worker import Made, Order, Workshop
from sigscope.files import LOCK, same, size_of
from sigscope.types import EncoderLike

MISSING = "the engine ray needs Ray: pip install 'sigscope[scale]'"
AHEAD = 2  # shards that a worker has at a time: one is decoded while the other is computed
ANSWERS_S = 10
TRIES = 5  # at a shard whose worker dies
SETTINGS = "SIGSCOPE_"  # how the settings begin that workers are given too


class RayError(RuntimeError):
    """Ray or one of its workers cannot do the work; the message is a sentence."""


class RayEngine:
    """Makes shards by Ray; an engine of ``embed_gallery``.

    No more than ``AHEAD`` shards a worker are under way, and nothing else is held.
    """

    def __init__(self, address: str = "", cores: int = 4, gpu: float = 1) -> None:
        """Choose a cluster; it is not connected to before there is something to do.

        Args:
            address: "" starts Ray here for as long as it is needed, or takes the one that this
                process has started; "auto" is the cluster that this machine belongs to; or
                HOST:PORT of one.
            cores: for each worker where no GPU is, or as many as the smallest machine has.
            gpu: how much of a GPU each worker takes, where there are some: a whole one, or a part
                such as 0.5, so that several share one; 0 leaves GPUs to others.

        Raises:
            RayError: Ray is not installed.
        """
        self.address, self.cores = address, whole("cores", cores, "it must be at least 1")
        self.gpu = real("gpu", gpu, "it is a share of one, from 0 to 1", least=0, most=1)
        _ray()

    def __call__(
        self, encoder: EncoderLike, workshop: Workshop, orders: Iterator[Order]
    ) -> Generator[Made]:
        """Yield each shard ordered once it is written, in the order in which they are ready.

        Raises:
            RayError: The cluster does not answer, a worker does not see the folders, has another
                model under the same name, or dies again and again at the same shard.
        """
        ray = _ray()
        is_ours = not ray.is_initialized()
        if is_ours:
            self._connect(ray)
        workers: list = []
        try:
            number, takes = self._room(ray)
            given = ray.put((_loader(encoder), workshop, _settings()))
            kind = ray.remote(_Worker).options(
                **takes,
                max_concurrency=AHEAD,
                max_restarts=-1,
                max_task_retries=TRIES - 1,
            )
            workers += [kind.remote() for _ in range(number)]
            yield from _made(ray, workers, given, orders)
        finally:
            for worker in workers:
                ray.kill(worker)
            if is_ours:
                ray.shutdown()

    def _connect(self, ray: Any) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told
        quietly = {"log_to_driver": False, "logging_level": "ERROR"}
        if not self.address:
            try:
                ray.init("local", include_dashboard=False, **quietly)
            except Exception as error:  # it raises just that
                raise RayError(
                    f"Ray cannot start on this machine ({_line(error)}); try again when it has "
                    "less to do, or leave the engine out"
                ) from error
            return
        try:
            if self.address != "auto":
                host, _, port = self.address.rpartition(":")
                socket.create_connection((host, int(port)), ANSWERS_S).close()  # Ray waits minutes
            ray.init(self.address, **quietly)
        except (OSError, RuntimeError, ValueError, OverflowError) as error:
            raise RayError(
                f"no Ray cluster answers at {self.address} ({_line(error)}); start one with 'ray "
                "start --head', check the address, or leave it out to use this machine"
            ) from error

    def _room(self, ray: Any) -> tuple[int, dict[str, float]]:
        """Return how many workers the cluster has room for, and what each of them takes."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if self.gpu and (gpus := sum(int(node.get("GPU", 0)) for node in nodes)):
            return gpus * int(1 / self.gpu), {"num_gpus": self.gpu, "num_cpus": 1}
        sizes = [int(node.get("CPU", 0)) for node in nodes if node.get("CPU", 0) >= 1]
        if not sizes:
            raise RayError("the Ray cluster has no processors for this; start workers that do")
        cores = min(self.cores, *sizes)
        return sum(size // cores for size in sizes), {"num_cpus": cores}


class _Worker:
    """A process that makes shards; what it is given is read when the first is wanted."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.encoder = self.workshop = None

    def start(self, given: list) -> int:
        """Load the encoder unless it is there; return the id of this process."""
        with self.lock:
            if self.encoder is None:
                load, self.workshop, settings = _ray().get(given[0])
                os.environ.update(settings)
                self._look()
                encoder = load()
                if not same(encoder.identity, self.workshop.identity):
                    raise RayError(
                        f"{_here()} has another model than {encoder.model} is where this was "
                        "started; put the same files on both"
                    )
                self.encoder = encoder
        return os.getpid()

    def make(self, given: list, order: Order) -> Made:
        self.start(given)
        return self.workshop.make(self.encoder, order)

    def _look(self) -> None:
        """Raise RayError unless the gallery and the store are seen from here."""
        shop = self.workshop
        if shop.sample and size_of(shop.sample[0]) != shop.sample[1]:
            raise RayError(
                f"{_here()} does not see the pictures in {shop.root}; put them where every machine "
                "of the cluster has them under this path, or leave the address out"
            )
        if not (shop.folder / LOCK).exists():
            raise RayError(
                f"{_here()} does not see {shop.folder}, where vectors go; set SIGSCOPE_CACHE to a "
                "folder that every machine of the cluster shares, or leave the address out"
            )


def _made(ray: Any, workers: list, given: Any, orders: Iterator[Order]) -> Iterator[Made]:
    """Yield what workers make; those that have not started yet are not waited for."""
    from ray.exceptions import RayActorError, RayTaskError

    under_way: dict = {worker.start.remote([given]): (worker, None) for worker in workers}
    is_all = False
    while not is_all or any(order for _, order in under_way.values()):
        [done], _ = ray.wait(list(under_way), num_returns=1)
        worker, order = under_way.pop(done)
        try:
            made = ray.get(done)
        except RayTaskError as error:
            raise error.cause from None
        except RayActorError as error:
            if order is None:
                raise RayError(
                    f"a worker of Ray's cannot begin ({_line(error)}); install the same sigscope "
                    "on every machine, and see that memory is left"
                ) from error
            raise RayError(
                f"a worker has died {TRIES} times at {order.items[0].path} or a picture soon "
                f"behind it ({_line(error)}); free memory, or take that picture away, and run the "
                "same again: it goes on where it stopped"
            ) from error
        further = list(islice(orders, 1 if order else AHEAD))
        is_all = is_all or not further
        for each in further:
            under_way[worker.make.remote([given], each)] = worker, each
        if order:
            yield made


def _loader(encoder: EncoderLike) -> Callable[[], EncoderLike]:
    """Return what loads the encoder in another process; one that is not ours goes there itself."""
    from sigscope.models.encoder import Encoder

    if not isinstance(encoder, Encoder):
        return partial(_itself, encoder)
    name = encoder.model  # on the hub, or of the shipped one
    if encoder.folder.name == name and encoder.folder != paths.MINI:
        name = encoder.folder
    return partial(Encoder.load, name, towers=encoder.towers)


def _itself(encoder: EncoderLike) -> EncoderLike:
    return encoder


def _settings() -> dict[str, str]:
    """Return the settings of sigscope here, but for where its cache is."""
    ours = {name: value for name, value in os.environ.items() if name.startswith(SETTINGS)}
    ours.pop("SIGSCOPE_CACHE", None)
    return ours


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise RayError(MISSING) from error
    return ray


def _here() -> str:
    return f"the worker on {socket.gethostname()}"


def _line(error: Exception) -> str:
    """Return the first line of what Ray says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
