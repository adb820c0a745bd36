"""Sends a file, and makes a link to it.

Invariant: the digest is declared before the bytes are sent, so that a store takes no others, and a link is made only
once the record says `available` with that digest. A status that isn't known is waited for.
"""

import hashlib
import os
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

from ._errors import Busy, Damaged, Refused, Unreachable
from ._http import Answer, Lost, Patience, Service, ask, busy
from ._model import Link, SharedFile

DEFAULT_BASE = "http://127.0.0.1:8000"
#: How much of a file is held at a time.
PIECE_BYTES = 1024 * 1024
#: The longest that the service waits for a record to settle.
WAIT_S = 20
#: Fresh URLs for one record.
MAX_RENEWALS = 4
#: What the store says to bytes that broke on their way, and to two writers at once.
ALSO_LATER = frozenset({409})
#: What it says to other bytes than the declared ones.
DAMAGED = frozenset({"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"})

Progress = Callable[[int, int], None]


def share(
    path: str | os.PathLike[str],
    *,
    base: str | None = None,
    token: str | None = None,
    name: str | None = None,
    content_type: str | None = None,
    title: str | None = None,
    password: str | None = None,
    max_downloads: int | None = None,
    expires_at: datetime | None = None,
    delete_after: datetime | None = None,
    metadata: Mapping[str, str] | None = None,
    patience: float = 300.0,
    on_progress: Progress | None = None,
) -> Link:
    """Sends the file at `path`, waits until it is `available`, and gives a link to it for others.

    `base` is the service's address: else FILE_SHARE_URL, else http://127.0.0.1:8000. `token`: else FILE_SHARE_TOKEN.
    `name` is the file's for others, if not its own. `title`, `password`, `max_downloads` and `expires_at` are the
    link's; at `delete_after` the service deletes the file, with which it keeps `metadata`. Times have a zone. Broken connections and answers 429 and
    503 are tried again, the latter when `Retry-After` says, for `patience` seconds in all. `on_progress` is told how
    many bytes of how many went out; the first falls back where the file is sent again.

    Raises `Refused`, `Busy`, `Unreachable`, `Damaged` where other bytes than the file's arrived, and `OSError` where
    the file can't be read.
    """
    address = base or os.environ.get("FILE_SHARE_URL") or DEFAULT_BASE
    proof = token or os.environ.get("FILE_SHARE_TOKEN") or None
    service = Service(address, proof, Patience(patience))
    place = Path(path)
    with place.open("rb") as file:
        digest, size = _digest(file)
        wanted = _present(
            filename=place.name if name is None else name,
            size=size,
            sha256=digest,
            contentType=content_type,
            deleteAfter=_moment(delete_after),
            metadata=None if metadata is None else dict(metadata),
        )
        created = _expect(service.call("POST", "/v1/files", wanted, key=str(uuid.uuid4())), 201)
        upload = _Upload(service, file, size, on_progress)
        upload.send(_text(created, "id"), created.get("upload"))
    shared = _settled(service, _text(created, "id"), digest)
    link = _present(
        files=[shared.id],
        title=title,
        password=password,
        maxDownloads=max_downloads,
        expiresAt=_moment(expires_at),
    )
    made = _expect(service.call("POST", "/v1/links", link), 201)
    return Link(_text(made, "url"), shared, _text(made, "expiresAt"))


class _Pieces:
    """A file as the body of a request: `size` bytes from its beginning, whatever became of it since."""

    def __init__(self, file: IO[bytes], size: int, on_progress: Progress | None) -> None:
        file.seek(0)
        self._file = file
        self._size = size
        self._sent = 0
        self._on_progress = on_progress

    def read(self, wanted: int = -1) -> bytes:
        left = self._size - self._sent
        piece = self._file.read(left if wanted < 0 else min(wanted, left))
        if not piece and left > 0:
            raise Damaged("the file got shorter while it was sent")
        self._sent += len(piece)
        if self._on_progress is not None and piece:
            self._on_progress(self._sent, self._size)
        return piece


class _Upload:
    """Gets the bytes to the store."""

    def __init__(self, service: Service, file: IO[bytes], size: int, on_progress: Progress | None) -> None:
        self._service = service
        self._file = file
        self._size = size
        self._on_progress = on_progress

    def send(self, id: str, upload: object) -> None:
        """Returns once the store has bytes. Whose they are, the record says."""
        renewals = 0
        while isinstance(upload, dict):
            try:
                answer = self._put(upload)
            except Lost as lost:
                # Which of the two was lost, the bytes or the answer, the record tells.
                self._service.patience.pause(lost)
                record = _expect(self._service.call("GET", f"/v1/files/{id}/metadata"), 200)
                if not _awaits_bytes(record):
                    return
                continue
            # 412: it has bytes already, as after an answer that got lost.
            if answer.status in (200, 412):
                self._hint(id)
                return
            if _s3_code(answer) in DAMAGED:
                raise Damaged("the file changed while it was sent, or broke on its way")
            if answer.status != 403 or renewals >= MAX_RENEWALS:
                raise Refused("store_refused", _s3_code(answer), answer.status)
            renewals += 1
            upload = self._renewed(id)

    def _put(self, upload: dict[str, Any]) -> Answer:
        headers = {str(name): str(value) for name, value in upload["headers"].items()}
        headers["Content-Length"] = str(self._size)
        pieces = cast(IO[bytes], _Pieces(self._file, self._size, self._on_progress))
        answer = ask("PUT", _text(upload, "url"), headers, pieces if self._size > 0 else b"")
        if answer.status in ALSO_LATER:
            raise busy(answer.status, answer.headers)
        if answer.status == 400 and _s3_code(answer) in ("RequestTimeout", "IncompleteBody"):
            raise Lost(Unreachable("the bytes broke off on their way"))
        return answer

    def _renewed(self, id: str) -> object:
        answer = self._service.call("POST", f"/v1/files/{id}/upload")
        # 409: bytes are there, or its time is over; the record says which.
        return None if answer.status == 409 else _expect(answer, 200).get("upload")

    def _hint(self, id: str) -> None:
        """Spares the wait for the store's notification, which does the same."""
        try:
            self._service.once("POST", f"/v1/files/{id}/complete")
        except Lost:
            pass


def _settled(service: Service, id: str, digest: str) -> SharedFile:
    while True:
        record = _expect(service.call("GET", f"/v1/files/{id}/metadata?wait={WAIT_S}"), 200)
        if record.get("stage") is None:
            match record.get("status"):
                case "available":
                    if record.get("sha256") != digest:
                        raise Damaged("other bytes than the file's arrived")
                    return SharedFile(id, _text(record, "filename"), int(record["size"]), digest)
                case "rejected":
                    raise Refused("file_rejected", str(record.get("reason")))
                case "withdrawn":
                    raise Refused("file_withdrawn", str(record.get("reason")))
                case "expired":
                    raise Refused("upload_expired", "the bytes didn't arrive in time")
        # The service has waited already, unless it was told not to.
        service.patience.pause(Lost(Busy(202, None), 0.2))


def _awaits_bytes(record: dict[str, Any]) -> bool:
    return record.get("status") == "pending" and record.get("stage") is None


def _digest(file: IO[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while piece := file.read(PIECE_BYTES):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size


def _s3_code(answer: Answer) -> str:
    text = answer.body[:4096].decode("utf-8", "replace")
    code = text.partition("<Code>")[2].partition("</Code>")[0]
    return code if code.isalnum() and len(code) <= 64 else f"HTTP {answer.status}"


def _moment(at: datetime | None) -> str | None:
    if at is None:
        return None
    if at.tzinfo is None:
        raise ValueError("a time needs a zone, such as datetime.UTC")
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _present(**fields: object) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _expect(answer: Answer, status: int) -> dict[str, Any]:
    if answer.status != status:
        raise answer.refusal()
    return answer.json()


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise Refused("unexpected_answer", f"an answer without {name}")
    return value
