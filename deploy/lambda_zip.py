"""Packs a program as a zip for AWS Lambda's provided.al2023: python3 lambda_zip.py PROGRAM ZIP [DOCUMENT...]

The same program gives the same zip, byte by byte, wherever and whenever it is packed.
"""

import pathlib
import sys
import zipfile

# What the runtime starts.
NAME = "bootstrap"
# The first moment that a zip can tell.
MOMENT = (1980, 1, 1, 0, 0, 0)
# Regular files that everybody may run, or read.
PROGRAM_MODE = 0o100755
DOCUMENT_MODE = 0o100644
UNIX = 3


def pack(program: pathlib.Path, target: pathlib.Path, documents: list[pathlib.Path]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    entries = [(NAME, PROGRAM_MODE, program)] + [(it.name, DOCUMENT_MODE, it) for it in documents]
    with zipfile.ZipFile(target, "w") as packed:
        for name, mode, path in entries:
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.create_system = UNIX
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, path.read_bytes(), compresslevel=9)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    given = [pathlib.Path(it) for it in sys.argv[1:]]
    pack(given[0], given[1], given[2:])
