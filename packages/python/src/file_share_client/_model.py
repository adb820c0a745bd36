"""What is shared, as callers see it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class SharedFile:
    """A file that the service has."""

    #: A UUID.
    id: str
    #: In characters that every file system takes.
    filename: str
    #: In bytes.
    size: int
    #: 64 hex digits.
    sha256: str


@dataclass(frozen=True)
class Link:
    """A URL by which others fetch a file. As a string it is that URL, which is a secret: `repr` leaves it out."""

    url: str = field(repr=False)
    file: SharedFile
    #: When it ends, in RFC 3339.
    expires_at: str

    def __str__(self) -> str:
        return self.url
