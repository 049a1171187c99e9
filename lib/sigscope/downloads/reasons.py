"""Why a picture was not had: a short reason to count by, and a sentence for a person."""

from sigscope.images.read import PictureError

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
