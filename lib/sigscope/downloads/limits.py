"""What one URL may cost, where it may lead, and why there is no picture in the end."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_network

from sigscope.images.read import MAX_PIXELS, PictureError


@dataclass(frozen=True)
class Limits:
    """The rules every request keeps; the defaults suit strangers' servers.

    Attributes:
        connect_s: the most seconds to wait for a connection, its name's look-up included.
        read_s: the most seconds to wait for the next bytes of an answer.
        total_s: the most seconds one URL may keep a connection busy, redirects and retries
            together; waiting for our turn, or because a server asked us to, does not count.
        max_bytes: the most bytes of a body, both as sent and as unpacked.
        max_pixels: the most pixels of a picture; it is asked of the header, before decoding.
        redirects: the most redirects that are followed.
        tries: how often to ask at most when the trouble may pass.
        backoff_s: about how long to wait before the second try; it doubles with each further one.
        wait_s: the longest wait a server may ask for (Retry-After); a longer one ends the tries.
        allowed: networks that may be asked although they are not public, as in "192.168.1.0/24".
        opt_out: whether a picture is left alone whose server says noai, noimageai, noindex or
            noimageindex in X-Robots-Tag.
        contact: an address or page that the User-Agent names, for servers that want one.
    """

    connect_s: float = 10.0
    read_s: float = 10.0
    total_s: float = 30.0
    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    redirects: int = 5
    tries: int = 3
    backoff_s: float = 1.0
    wait_s: float = 60.0
    allowed: tuple[str, ...] = ()
    opt_out: bool = True
    contact: str = ""

    def __post_init__(self):
        """Refuse numbers that allow nothing, and networks that are none."""
        for name in ("connect_s", "read_s", "total_s", "max_bytes", "max_pixels", "tries"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give a number above 0")
        for name in ("redirects", "backoff_s", "wait_s"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 or more")
        if self.max_pixels > MAX_PIXELS:
            raise ValueError(f"max_pixels is {self.max_pixels}; no picture may exceed {MAX_PIXELS}")
        if not (self.contact.isascii() and self.contact.isprintable()):
            raise ValueError("the contact must be plain ASCII on one line, like an e-mail address")
        for network in self.allowed:
            _check_network(network)

    @property
    def user_agent(self) -> str:
        """Who we say we are: this program, and what it is for."""
        try:
            number = version("sigscope")
        except PackageNotFoundError:  # a checkout that was not installed
            number = "0"
        contact = f"; {self.contact}" if self.contact else ""
        return f"sigscope/{number} (downloads pictures for retrieval research{contact})"


FOR_ONE = Limits(total_s=15.0, tries=2, backoff_s=0.5, wait_s=2.0)  # somebody is waiting for it


def _check_network(network: str) -> None:
    try:
        ip_network(network)
    except ValueError as error:
        raise ValueError(
            f"{network!r} is no network ({error}); write one like 192.168.1.0/24"
        ) from error


# The short reason, and what became of pictures that have it.
REASONS = {
    "gone": "are no longer there (404, 410)",
    "placeholder": "were taken down; a notice that the photo is unavailable came instead",
    "refused": "are refused by their server (401, 403 and the like)",
    "opted out": "are not to be used by machines, says their server (X-Robots-Tag)",
    "server error": "met an error of their server (5xx), each time they were asked for",
    "too busy": "were asked for too often, said their server (429)",
    "time-out": "did not arrive in time",
    "no connection": "could not be reached: nobody answered, or not in HTTP",
    "no such host": "are on a server whose name is no longer known",
    "insecure": "are on a server whose certificate is not valid",
    "private address": "lead to an address that is not of the public internet",
    "bad URL": "have no URL of http or https",
    "redirects": "redirect in a loop, or too often",
    "cut short": "ended before they were whole",
    "too large": "have more bytes or pixels than are allowed",
    "not a picture": "are not pictures that can be read",
    "unexpected": "met an answer that we have no name for",
}
UNREADABLE = {"too large", "not a picture"}  # img2dataset says failed_to_resize of such


class FetchError(PictureError):
    """A picture was not had; the message is a sentence for a person.

    Attributes:
        reason: a key of REASONS.
        passing: whether asking again in a while may help.
        wait_s: how many seconds the server asks us to wait before that, or None.
    """

    def __init__(
        self,
        reason: str,
        sentence: str,
        *,
        passing: bool = False,
        wait_s: float | None = None,
    ):
        """Keep what is known; reason must be a key of REASONS."""
        if reason not in REASONS:
            raise KeyError(f"{reason!r} is no reason; there are {', '.join(REASONS)}")
        super().__init__(sentence)
        self.reason, self.passing, self.wait_s = reason, passing, wait_s

    @property
    def status(self) -> str:
        """What img2dataset calls it: failed_to_download or failed_to_resize."""
        return "failed_to_resize" if self.reason in UNREADABLE else "failed_to_download"
