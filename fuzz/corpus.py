"""Packs the inputs of a fuzz target into one text file, and unpacks them.

    fuzz/corpus.py unpack TARGET [DIRECTORY]   the kept inputs, as the fuzzer wants them
    fuzz/corpus.py pack TARGET [DIRECTORY]     what the directory holds becomes what is kept

A corpus is fuzz/corpus/TARGET.txt: a line an input, in order, with all but printable ASCII written as
\\xNN. So a change of it can be read, and takes one file in a commit. DIRECTORY is
target/fuzz-corpus/TARGET if it isn't said. Input files are named by the SHA-1 of what they hold, as
the fuzzer names them.
"""

import hashlib
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def encoded(data):
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte != 0x5C else f"\\x{byte:02x}" for byte in data
    )


def decoded(line):
    return re.sub(
        rb"\\x([0-9a-f]{2})", lambda escape: bytes([int(escape[1], 16)]), line.encode("ascii")
    )


def main(arguments):
    if len(arguments) not in (2, 3) or arguments[0] not in ("pack", "unpack"):
        sys.exit(__doc__)
    action, target = arguments[:2]
    packed = ROOT / "fuzz" / "corpus" / f"{target}.txt"
    default = ROOT / "target" / "fuzz-corpus" / target
    directory = pathlib.Path(arguments[2]) if len(arguments) == 3 else default
    if action == "pack":
        inputs = {path.read_bytes() for path in directory.iterdir() if path.is_file()}
        lines = [encoded(data) + "\n" for data in sorted(inputs)]
        packed.write_text("".join(lines), encoding="ascii")
    else:
        directory.mkdir(parents=True, exist_ok=True)
        for line in packed.read_text(encoding="ascii").split("\n")[:-1]:
            data = decoded(line)
            (directory / hashlib.sha1(data).hexdigest()).write_bytes(data)


if __name__ == "__main__":
    main(sys.argv[1:])
