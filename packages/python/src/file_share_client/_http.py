"""Requests, and how long it is worth sending them again.

Invariant: no redirect is followed, so that a token goes nowhere but where it was meant for, and nothing but http and
https is opened, whatever URL an answer has. An answer that is read whole has at most MAX_ANSWER_BYTES. Every pause ends
by the deadline of its Patience.
"""

import email.utils
import http.client
import json
import random
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from typing import IO, Any, cast
from urllib.parse import urlsplit

from ._errors import Busy, FileShareError, Refused, Unreachable

#: Without a byte moving.
STALLED_AFTER_S = 60.0
MAX_ANSWER_BYTES = 1024 * 1024
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
#: The same request gets another answer later.
LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
#: What breaks a connection. `ValueError` isn't among them: that is a mistake of ours.
BROKEN = (OSError, http.client.HTTPException)

Headers = Mapping[str, str]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)


class Lost(Exception):
    """No answer, or one that asks to come again."""

    def __init__(self, error: FileShareError, retry_after: float | None = None) -> None:
        super().__init__(str(error))
        #: What it comes to if nobody asks again.
        self.error = error
        #: In seconds.
        self.retry_after = retry_after


class Answer:
    """One that was read whole."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def json(self) -> dict[str, Any]:
        """What it says; nothing if that is no JSON object, as where a proxy answered."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def refusal(self) -> FileShareError:
        """What it comes to where no other status was hoped for."""
        said = self.json()
        code, detail = said.get("code"), said.get("detail")
        if not isinstance(code, str):
            return Refused("unexpected_answer", f"HTTP {self.status}, and not from the service", self.status)
        return Refused(code, detail if isinstance(detail, str) else "", self.status)


class Patience:
    """Until when to ask again."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._failures = 0

    def left(self) -> float:
        """In seconds; none is 0."""
        return max(0.0, self._until - time.monotonic())

    def moved_on(self) -> None:
        """Something worked, so the next pause is a short one."""
        self._failures = 0

    def pause(self, lost: Lost) -> None:
        """Waits as long as was asked for, else longer each time. Raises what was lost if the deadline comes first."""
        told = lost.retry_after
        longest = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**self._failures)
        # Scattered, so that many programs which one outage stopped don't come back in one moment.
        pause = told if told is not None else random.uniform(longest / 2, longest)
        self._failures = min(self._failures + 1, 16)
        if pause >= self.left():
            raise lost.error
        time.sleep(pause)


def opened(
    method: str, url: str, headers: Headers, body: bytes | IO[bytes] | None = None
) -> AbstractContextManager[http.client.HTTPResponse]:
    """The answer to one request, whatever its status, to be read by the caller. Raises `Lost` if none comes."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise Refused("unexpected_answer", "a URL that is neither http nor https")
    request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)
    try:
        # urllib's own stubs call it something wider; errors are answers like others.
        response = cast(http.client.HTTPResponse, _opener.open(request, timeout=STALLED_AFTER_S))
    except urllib.error.HTTPError as error:
        response = cast(http.client.HTTPResponse, error)
    except BROKEN as error:
        raise lost_connection(error) from None
    return closing(response)


def lost_connection(error: BaseException) -> Lost:
    """What a connection that broke comes to. Its own words may have an address in them, so only its kind is told."""
    reason = getattr(error, "reason", error)
    kind = type(reason).__name__ if isinstance(reason, BaseException) else type(error).__name__
    return Lost(Unreachable(f"no answer ({kind})"))


def ask(method: str, url: str, headers: Headers, body: bytes | IO[bytes] | None = None) -> Answer:
    """One request, and its answer. Raises `Lost` if none comes, or one that asks to come again."""
    with opened(method, url, headers, body) as response:
        try:
            content = response.read(MAX_ANSWER_BYTES + 1)
        except BROKEN as error:
            raise lost_connection(error) from None
        status = response.status
        given = {name.lower(): value for name, value in response.headers.items()}
    if status in LATER:
        raise busy(status, given)
    if len(content) > MAX_ANSWER_BYTES:
        raise Refused("unexpected_answer", "an answer that doesn't end", status)
    return Answer(status, given, content)


def busy(status: int, headers: Headers) -> Lost:
    """An answer that asks to come again."""
    told = retry_after(headers.get("retry-after"))
    return Lost(Busy(status, told), told)


def retry_after(header: str | None) -> float | None:
    """A `Retry-After` in seconds, of either form; None if there is none that can be read."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, moment.timestamp() - time.time())


class Service:
    """The calls of one service."""

    def __init__(self, base: str, token: str | None, patience: Patience) -> None:
        if urlsplit(base).scheme not in ("http", "https"):
            raise ValueError("the service's address begins with http:// or https://")
        self._base = base.rstrip("/")
        self._token = token
        self.patience = patience

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, key: str | None = None) -> Answer:
        """Sends it again for as long as there is patience. Any status that doesn't ask for that is the caller's."""
        while True:
            try:
                answer = self.once(method, path, body, key)
            except Lost as lost:
                self.patience.pause(lost)
            else:
                self.patience.moved_on()
                return answer

    def once(self, method: str, path: str, body: dict[str, Any] | None = None, key: str | None = None) -> Answer:
        """Sends it once."""
        headers = {"Accept": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        if key is not None:
            headers["Idempotency-Key"] = key
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        return ask(method, f"{self._base}{path}", headers, content)
