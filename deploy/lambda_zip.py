"""Packs a program as a zip for AWS Lambda's provided.al2023: python3 lambda_zip.py PROGRAM ZIP

The same program gives the same zip, byte by byte, wherever and whenever it is packed.
"""

import pathlib
import sys
import zipfile

# What the runtime starts.
NAME = "bootstrap"
# The first moment that a zip can tell.
MOMENT = (1980, 1, 1, 0, 0, 0)
# A regular file that everybody may run.
MODE = 0o100755
UNIX = 3


def pack(program: pathlib.Path, target: pathlib.Path) -> None:
    entry = zipfile.ZipInfo(NAME, MOMENT)
    entry.create_system = UNIX
    entry.external_attr = MODE << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as packed:
        packed.writestr(entry, program.read_bytes(), compresslevel=9)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    pack(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
