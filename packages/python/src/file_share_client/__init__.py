"""Shares files by a File Share Service, and fetches what was shared.

    from file_share_client import fetch, share

    link = share("notes.pdf")        # asks FILE_SHARE_URL, with the token in FILE_SHARE_TOKEN
    path = fetch(link, into="inbox")

Invariant: what `share` gives a link to, and what `fetch` leaves in place, are exactly the bytes of the SHA-256 that the
service shows. Memory doesn't grow with a file's size, and whatever is tried again ends after `patience` seconds.

Absent on purpose: everything that isn't in the standard library.
"""

from ._errors import Busy, Damaged, FileShareError, Refused, Unreachable
from ._fetch import fetch
from ._model import Link, SharedFile
from ._share import share

__all__ = [
    "Busy",
    "Damaged",
    "FileShareError",
    "Link",
    "Refused",
    "SharedFile",
    "Unreachable",
    "fetch",
    "share",
]
