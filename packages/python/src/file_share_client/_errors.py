"""What can go wrong, by what a caller does about it.

Invariant: no message has a token, a link or a presigned URL in it.
"""


class FileShareError(Exception):
    """Whatever ends `share` and `fetch` that isn't about the local file system."""


class Refused(FileShareError):
    """The service or the store said no, and says so again to the same request."""

    def __init__(self, code: str, detail: str, status: int | None = None) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        #: The stable name of the problem, such as `file_not_found`.
        self.code = code
        #: What it said to people.
        self.detail = detail
        #: The HTTP status, where the answer had one that means something.
        self.status = status


class Busy(FileShareError):
    """Asked to wait for longer than the caller has patience."""

    def __init__(self, status: int, retry_after: float | None) -> None:
        told = "" if retry_after is None else f"; it asks for {retry_after:.0f} s"
        super().__init__(f"the service is busy or away (HTTP {status}){told}")
        self.status = status
        #: In seconds, as the last answer said; None if it said nothing.
        self.retry_after = retry_after


class Unreachable(FileShareError):
    """No answer came, as often as there was patience to ask."""


class Damaged(FileShareError):
    """The bytes aren't those that the service shows; none of them were left in place."""
