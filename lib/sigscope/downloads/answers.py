"""What a server's answer means before its body is read: go on, elsewhere, later, or never."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from sigscope.downloads.reasons import FetchError

REDIRECTS = {301, 302, 303, 307, 308}
GONE = {404, 410, 451}
PASSING = {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}

# Where photos that were taken down are redirected to; the answer there is a picture, with 200.
PLACEHOLDERS = re.compile(
    r"//s\.yimg\.com/pw/images/[^/]+/photo_unavailable"
    r"|//[^/]*(flickr\.com|yimg\.com)/.*photo_(unavailable|not_available)"
)
OPT_OUT = {"noai", "noimageai", "noindex", "noimageindex"}


def check_url(url: httpx.URL) -> None:
    """Refuse what is not http or https, names no server, or is a known placeholder."""
    if url.scheme not in ("http", "https") or not url.host:
        scheme = f"{url.scheme}: is not asked" if url.scheme else "it has none"
        raise FetchError("bad URL", f"Only http: and https: URLs with a server are ({scheme}).")
    if url.port is not None and not 0 < url.port < 65536:
        raise FetchError("bad URL", f"There is no port {url.port}.")
    if PLACEHOLDERS.search(str(url).lower()):
        raise FetchError(
            "placeholder", f"The photo was taken down; its server sends {url} instead."
        )


def redirect(response: httpx.Response) -> httpx.URL | None:
    """Return where the server sends us, or None when it does not."""
    if response.status_code not in REDIRECTS or "location" not in response.headers:
        return None
    try:
        return response.request.url.join(response.headers["location"].strip())
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError("bad URL", f"It redirects to what is no URL ({error}).") from error


def check_status(response: httpx.Response) -> None:
    """Refuse every answer but 200, saying what it means and whether it may pass."""
    code = response.status_code
    if code == 200:
        return
    wait_s = retry_after(response.headers.get("retry-after", ""))
    passing = code in PASSING
    if code in GONE:
        raise FetchError("gone", f"Its server says that it is no longer there ({code}).")
    if code == 429:
        sentence = "Its server says that we ask too often (429)."
        raise FetchError("too busy", sentence, passing=True, wait_s=wait_s)
    if code >= 500:
        sentence = f"Its server met an error of its own ({code})."
        raise FetchError("server error", sentence, passing=passing, wait_s=wait_s)
    if code >= 400:
        raise FetchError("refused", f"Its server refuses it ({code}).", passing=passing)
    raise FetchError("unexpected", f"Its server answers {code}, which brings no picture.")


def check_opt_out(response: httpx.Response) -> None:
    """Refuse a picture whose server says that machines are not to use it.

    An entry for one robot, as in "otherbot: noai", counts only when it is for us.
    """
    for value in response.headers.get_list("x-robots-tag"):
        robot, colon, rest = value.partition(":")
        if colon and robot.strip().lower() != "sigscope":
            continue
        words = {word.strip().lower() for word in (rest if colon else value).split(",")}
        if found := sorted(words & OPT_OUT):
            raise FetchError("opted out", f"Its server asks machines to leave it ({found[0]}).")


def retry_after(text: str, now: datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks for (a number or a date), or None."""
    text = text.strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - (now or datetime.now(UTC))).total_seconds())
