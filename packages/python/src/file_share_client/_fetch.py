"""Fetches a file that somebody passed on.

Invariant: a file is in place under its name only once all of its bytes are there, are those of the SHA-256 that the
link shows, and are on the disk. Until then they lie beside it, in a file whose name begins with `.` and ends with
`.part`, from which the next call goes on. What is there already is replaced by nothing unless the caller said so.

Absent on purpose: a token from the environment. A link may lead to a service that the token isn't for.
"""

import errno
import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from ._errors import Busy, Damaged, Refused, Unreachable
from ._http import BROKEN, LATER, Lost, Patience, Service, busy, lost_connection, opened
from ._model import Link, SharedFile
from ._share import _expect, _text

try:
    import fcntl
except ImportError:  # Windows, where two that fetch the same at once are told apart by the digest alone.
    fcntl = None  # type: ignore[assignment]

#: How much of a file is held at a time.
PIECE_BYTES = 1024 * 1024
#: Until when a URL is asked for again that was refused, without a byte in between.
MAX_REFUSALS = 4
#: How long to wait for a file that is still on its way, at a time.
PENDING_PAUSE_S = 2.0
#: The longest part of a hidden name that comes from the digest.
PART_DIGITS = 32

Progress = Callable[[int, int], None]


def fetch(
    link: str | Link,
    into: str | os.PathLike[str] = ".",
    *,
    file: str | None = None,
    password: str | None = None,
    token: str | None = None,
    overwrite: bool = False,
    patience: float = 300.0,
    on_progress: Progress | None = None,
) -> Path:
    """Fetches the file that `link` passes on, and gives its path.

    `into` is a folder, where the file gets the name that it has at the service, or else the path of the file itself.
    Of a link with several files `file` says which: by its name or ID. `token` is for links whose audience is signed
    in; FILE_SHARE_TOKEN isn't sent to where a link leads. A file that is there already with these bytes is left alone;
    with others it is replaced only with `overwrite`. What broke off goes on where it ended, also in another run; a
    file that is still on its way is waited for; 429 and 503 are asked again when `Retry-After` says. All of that ends
    after `patience` seconds. `on_progress` is told how many bytes of how many are there.

    Raises `Refused`, `Busy`, `Unreachable`, `Damaged` if the bytes weren't those of the link's SHA-256,
    `FileExistsError`, and other `OSError`s.
    """
    base, path = _parts(str(link))
    service = Service(base, token, Patience(patience))
    shared = _chosen(service, path, file)
    target = _target(Path(into), shared.filename)
    grants = _Grants(service, f"{path}/files/{shared.id}/downloads", password)
    if not shared.sha256:
        if not overwrite and _is_other(target, shared):
            # Said before anything is counted.
            raise FileExistsError(errno.EEXIST, "there is another file", str(target))
        # A link with a password says what the bytes are to those alone who know it.
        shared = replace(shared, sha256=grants.digest())
    if _is_there(target, shared):
        return target
    if target.exists() and not overwrite:
        raise FileExistsError(errno.EEXIST, "there is another file", str(target))
    part = target.with_name(f".{shared.sha256[:PART_DIGITS]}.part")
    with _claimed(part) as partial:
        download = _Download(service, grants, shared, partial, on_progress)
        try:
            download.run()
        except Damaged:
            partial.truncate(0)
            part.unlink(missing_ok=True)
            raise
        partial.flush()
        os.fsync(partial.fileno())
        _put_in_place(part, target, overwrite)
    return target


def _parts(link: str) -> tuple[str, str]:
    """The service's address, and the path of what the link passes on."""
    url = urlsplit(link.strip())
    before, found, behind = url.path.rpartition("/s/")
    token = behind.rstrip("/.,;:!?)")
    is_token = token.replace("-", "").replace("_", "").isalnum() and token.isascii()
    if url.scheme not in ("http", "https") or not url.netloc or not found or not is_token:
        raise ValueError("a link looks like https://…/s/…")
    return f"{url.scheme}://{url.netloc}{before}", f"/v1/shared/{token}"


def _chosen(service: Service, path: str, wanted: str | None) -> SharedFile:
    while True:
        files = _expect(service.call("GET", path), 200).get("files")
        found = [it for it in files if isinstance(it, dict)] if isinstance(files, list) else []
        if wanted is not None:
            found = [it for it in found if wanted in (it.get("id"), it.get("filename"), it.get("displayName"))]
        match found:
            case []:
                raise Refused("file_not_found", "the link has no such file")
            case [one] if one.get("status") == "available":
                return _shared_file(one)
            case [one] if one.get("status") in ("rejected", "expired"):
                raise Refused(f"file_{one['status']}", "the file never arrived")
            case [one] if one.get("status") == "withdrawn":
                raise Refused("file_withdrawn", "the file was withdrawn after a later scan for viruses")
            case [_]:
                service.patience.pause(Lost(Busy(409, None), PENDING_PAUSE_S))
            case _:
                raise Refused("several_files", "the link has several files of which one has to be named")


def _shared_file(said: dict[str, Any]) -> SharedFile:
    size = said.get("size")
    if not isinstance(size, int) or size < 0:
        raise Refused("unexpected_answer", "a file without a size")
    digest = "" if said.get("sha256") is None else _text(said, "sha256").lower()
    return SharedFile(_text(said, "id"), _text(said, "filename"), size, digest)


def _target(into: Path, filename: str) -> Path:
    """Where the file belongs. A name from outside is one name, and leads nowhere else."""
    if not into.is_dir():
        return into
    is_one = filename not in ("", ".", "..") and not any(c in filename for c in '/\\:\0')
    if not is_one or Path(filename).name != filename:
        raise Refused("unexpected_answer", "a file name that is none")
    return into / filename


def _is_other(target: Path, shared: SharedFile) -> bool:
    """Whether what is there can't be this file, as its length alone tells."""
    try:
        return target.stat().st_size != shared.size or not target.is_file()
    except FileNotFoundError:
        return False


def _is_there(target: Path, shared: SharedFile) -> bool:
    try:
        if not target.is_file() or target.stat().st_size != shared.size:
            return False
        with target.open("rb") as there:
            return hashlib.file_digest(there, "sha256").hexdigest() == shared.sha256
    except FileNotFoundError:
        return False


@contextmanager
def _claimed(part: Path) -> Iterator[IO[bytes]]:
    """The file of what is there so far, for this process alone. Who finds it claimed doesn't wait."""
    # Nobody's link: what is written goes into this folder and nowhere else.
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(part, flags, 0o666), "r+b") as partial:
        if fcntl is not None:
            fcntl.flock(partial, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield partial


def _put_in_place(part: Path, target: Path, overwrite: bool) -> None:
    if overwrite:
        os.replace(part, target)
        return
    try:
        # Fails if there is something by now, as a rename doesn't.
        os.link(part, target)
    except FileExistsError:
        raise
    except OSError:
        # A file system without a second name for a file.
        if target.exists():
            raise FileExistsError(errno.EEXIST, "there is another file", str(target)) from None
        os.rename(part, target)
    else:
        part.unlink()


class _Grants:
    """What the service hands out for one download, however often it is asked."""

    def __init__(self, service: Service, path: str, password: str | None) -> None:
        self._service = service
        self._path = path
        self._body = {} if password is None else {"password": password}
        self._key = str(uuid.uuid4())
        self._unused: str | None = None

    def digest(self) -> str:
        """The SHA-256 of the bytes. The URL that comes with it is the next one."""
        granted = self._ask()
        self._unused = _text(granted, "url")
        return _text(granted, "sha256").lower()

    def url(self) -> str:
        url, self._unused = self._unused, None
        return url if url is not None else _text(self._ask(), "url")

    def _ask(self) -> dict[str, Any]:
        return _expect(self._service.call("POST", self._path, self._body, key=self._key), 201)


class _Download:
    """Gets the bytes, from where they broke off."""

    def __init__(
        self,
        service: Service,
        grants: _Grants,
        shared: SharedFile,
        partial: IO[bytes],
        on_progress: Progress | None,
    ) -> None:
        self._service = service
        self._grants = grants
        self._shared = shared
        self._partial = partial
        self._on_progress = on_progress
        self._refusals = 0
        self._take_in()

    def run(self) -> None:
        """Returns once all bytes are there and right."""
        while self._have < self._shared.size:
            url = self._grants.url()
            try:
                self._receive(url)
            except Lost as lost:
                self._service.patience.pause(lost)
        if self._digest.hexdigest() != self._shared.sha256:
            raise Damaged("the bytes aren't those of the link's SHA-256")

    def _take_in(self) -> None:
        """What an earlier run left. More than the file has is none of it."""
        self._digest, self._have = hashlib.sha256(), 0
        if os.fstat(self._partial.fileno()).st_size > self._shared.size:
            self._partial.truncate(0)
        self._partial.seek(0)
        while piece := self._partial.read(PIECE_BYTES):
            self._digest.update(piece)
            self._have += len(piece)

    def _receive(self, url: str) -> None:
        # As they are, since that is what the digest is of.
        headers = {"Accept-Encoding": "identity"}
        if self._have > 0:
            headers["Range"] = f"bytes={self._have}-"
        with opened("GET", url, headers) as response:
            status = response.status
            if status in LATER:
                raise busy(status, {name.lower(): value for name, value in response.headers.items()})
            if status == 403:
                self._again()
                return
            begins = response.headers.get("Content-Range", "").startswith(f"bytes {self._have}-")
            if status == 200 and self._have > 0:
                self._partial.truncate(0)
                self._take_in()
            elif status != 200 and not (status == 206 and begins):
                raise Refused("store_refused", f"HTTP {status}", status)
            while piece := _read(response):
                self._write(piece)
        if self._have < self._shared.size:
            raise Lost(Unreachable("the download broke off"))

    def _again(self) -> None:
        """The URL ran out before it was used, or never works."""
        self._refusals += 1
        if self._refusals > MAX_REFUSALS:
            raise Refused("store_refused", "the store refuses what the service signs", 403)

    def _write(self, piece: bytes) -> None:
        if self._have + len(piece) > self._shared.size:
            raise Damaged("there are more bytes than the link says")
        self._partial.write(piece)
        self._digest.update(piece)
        self._have += len(piece)
        self._refusals = 0
        self._service.patience.moved_on()
        if self._on_progress is not None:
            self._on_progress(self._have, self._shared.size)


def _read(response: IO[bytes]) -> bytes:
    try:
        return response.read(PIECE_BYTES)
    except BROKEN as error:
        raise lost_connection(error) from None

