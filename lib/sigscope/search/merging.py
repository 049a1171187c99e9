"""Merging: a picture's caption and a person's words become one sentence to search with.

Report R2 lets a language model do it. Here a template is the rule, and an endpoint that speaks
OpenAI's chat protocol is what a person may set up instead; then caption and words go there.
A merger is any function (caption, words) -> sentence.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

Merger = Callable[[str, str], str]

COLOURS = (
    r"\b(?:red|green|blue|yellow|orange|purple|pink|brown|black|white|grey|gray|golden|violet|"
    r"turquoise|silver)\b"
)
NUMBERS = r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|several|many)\b"
DEPICTIONS = re.compile(
    r"drawing|photograph|photo|picture|painting|sketch|cartoon|silhouette|outline|icon|logo|symbol|"
    r"map|flag|sign"
)
ARTICLE = re.compile(r"^(?:an?|the)\s+", re.IGNORECASE)
TASK = (
    "You write search queries for pictures. Given the caption of a picture and a change that is "
    "asked for, answer with one short caption, in English, of the picture as changed. Answer with "
    "that caption alone."
)
URL, MODEL, KEY = "SIGSCOPE_LLM_URL", "SIGSCOPE_LLM_MODEL", "SIGSCOPE_LLM_KEY"
MOST_BYTES = 1_000_000
MOST_LETTERS = 500


class MergeError(RuntimeError):
    """An endpoint that did not merge; the message is a sentence for a person."""


def by_template(caption: str, words: str) -> str:
    """Return caption and words as one sentence, by the first of these rules that applies.

    1. No words, or no caption: the other one alone.
    2. The words are one colour (or one number), and the caption has one: it takes its place,
       so that "a red apple" and "green" give "a green apple". Of several the first is replaced.
    3. The words name a way of depicting ("a drawing", "silhouette"): "a drawing of an apple".
    4. Otherwise a comma joins them: "an apple, on a plate".
    """
    caption, words = caption.strip().rstrip("."), words.strip().rstrip(".")
    if not caption or not words:
        return caption or words
    asked = words.lower()
    for known in (COLOURS, NUMBERS):
        there = re.search(known, caption, re.IGNORECASE)
        if there and re.fullmatch(known, asked):
            return caption[: there.start()] + words + caption[there.end() :]
    if DEPICTIONS.fullmatch(ARTICLE.sub("", asked)):
        return f"{words} of {caption}"
    return f"{caption}, {words}"


@dataclass(frozen=True)
class Endpoint:
    """A chat endpoint that merges; never asked unless a person has set it up."""

    url: str = field(
        repr=False
    )  # base, such as http://localhost:11434/v1; /chat/completions is added
    model: str
    key: str = field(default="", repr=False)
    seconds: float = 20.0  # for the whole answer

    def __post_init__(self) -> None:
        """Refuse what cannot be asked."""
        if not re.match(r"https?://[^/\s]+", self.url):
            raise MergeError(f"{URL} is no address; give one that begins with http:// or https://")
        if not self.model:
            raise MergeError(f"the endpoint {self.shown} needs a model's name; set {MODEL}")

    @property
    def shown(self) -> str:
        """The address without the name, password and query that it may hold."""
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{re.split('[?#]', rest)[0].rpartition('@')[2]}"

    @classmethod
    def from_environment(cls) -> "Endpoint | None":
        """Return what SIGSCOPE_LLM_URL, _MODEL and _KEY describe, or None where no URL is set."""
        url = os.environ.get(URL, "").strip()
        return cls(url, os.environ.get(MODEL, ""), os.environ.get(KEY, "")) if url else None

    def __call__(self, caption: str, words: str) -> str:
        """Return the sentence the model wrote, its first line, at most 500 letters.

        Raises:
            MergeError: no answer in time, a refusal, or an answer that holds no sentence.
        """
        import httpx

        said = f"Caption: {caption}\nChange: {words}"
        messages = [{"role": "system", "content": TASK}, {"role": "user", "content": said}]
        body = {"model": self.model, "messages": messages, "temperature": 0, "max_tokens": 80}
        try:
            answer = self._answer(body)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise MergeError(
                self._failed(str(error).replace(self.url, self.shown) or type(error).__name__)
            ) from error
        return self._sentence(answer)

    def _answer(self, body: dict) -> object:
        """Return the JSON that the endpoint answers, read no longer and no further than allowed."""
        import json

        import httpx

        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        end, read = monotonic() + self.seconds, bytearray()
        url = self.url.rstrip("/") + "/chat/completions"
        asked = httpx.stream("POST", url, json=body, headers=headers, timeout=self.seconds)
        with asked as response:
            if response.status_code != 200:
                raise ValueError(f"it answered {response.status_code}")
            for piece in response.iter_bytes():
                read += piece
                if len(read) > MOST_BYTES:
                    raise ValueError("its answer is too long")
                if monotonic() > end:
                    raise ValueError(f"no whole answer within {self.seconds:g} s")
        return json.loads(read)

    def _sentence(self, answer: object) -> str:
        try:
            text = answer["choices"][0]["message"]["content"]
            lines = [line.strip().strip("\"'").strip() for line in text.splitlines()]
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise MergeError(self._failed("its answer is not a chat completion")) from error
        sentence = next(filter(None, lines), "")[:MOST_LETTERS]
        if not sentence:
            raise MergeError(self._failed("its answer is empty"))
        return sentence

    def _failed(self, reason: str) -> str:
        return (
            f"the language model at {self.shown} did not merge caption and words ({reason}); "
            f"merge by template, or check {URL}, {MODEL} and {KEY}"
        )
