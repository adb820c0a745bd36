#!/usr/bin/env python3
"""Packs what was compiled for a target: a .tar.gz, and as .deb, .rpm, .apk and zips for Lambda what its C library fits.

    pack.py TARGET PROGRAMS OUT     PROGRAMS is the folder with the three programs, OUT where the packages go
    pack.py --sbom OUT              the list of what is built in (CycloneDX), from cargo's own account

The same programs give the same bytes: names are sorted, times are the release's date as CHANGELOG.md has it (in zips the
first that a zip can tell), and owners are root. Absent on purpose: signing, which is for whoever has a key, and publishing.
"""

import datetime
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "deploy"))
sys.dont_write_bytecode = True

import lambda_zip  # noqa: E402 - it lies beside this folder

PROGRAMS = ("file-share", "file-share-worker", "fshare")
# For each target the name of what it runs on, its architecture in Go's words (nfpm's), and its packages.
TARGETS = {
    "x86_64-unknown-linux-gnu": ("x86_64-linux-gnu", "amd64", ("deb", "rpm")),
    "aarch64-unknown-linux-gnu": ("aarch64-linux-gnu", "arm64", ("deb", "rpm")),
    "x86_64-unknown-linux-musl": ("x86_64-linux-musl", "amd64", ("apk",)),
}
# For each architecture whose glibc programs run in Lambda, its name there.
LAMBDA_ARCHITECTURES = {"x86_64-unknown-linux-gnu": "x86_64", "aarch64-unknown-linux-gnu": "arm64"}
LAMBDA_PROGRAMS = ("file-share", "file-share-worker")
# Where `make release` and the tests have put it.
NFPM = Path(os.environ.get("NFPM", ROOT / "target/packaging-tools/bin/nfpm"))
# Files that say under which terms a crate may be passed on.
TERMS = re.compile(r"(?i)^(licen[cs]e|copying|notice|copyright|unlicense)([-_. ].*)?$")


def version() -> str:
    with open(ROOT / "Cargo.toml", "rb") as file:
        return tomllib.load(file)["workspace"]["package"]["version"]


def release_time() -> int:
    """Midnight of the day in the changelog's newest heading that has one."""
    found = re.search(r"(?m)^## \d+\.\d+\.\d+ \((\d{4}-\d\d-\d\d)\)$", (ROOT / "CHANGELOG.md").read_text())
    if not found:
        sys.exit("CHANGELOG.md has no heading such as '## 1.2.3 (2026-01-31)'")
    return int(datetime.datetime.fromisoformat(found[1] + "T00:00:00+00:00").timestamp())


def cargo(*arguments: str) -> str:
    command = ["cargo", *arguments, "--locked"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def built_in(targets: list[str]) -> list[dict]:
    """The crates that are in one of the programs for one of the targets, but for our own, sorted."""
    found = {}
    for target in targets:
        ours = [argument for name in PROGRAMS for argument in ("--package", name)]
        tree = cargo("tree", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--target", target, *ours)
        # "name v1.2.3", and for what is no crate of the registry where it lies.
        named = {tuple(line.removesuffix(" (*)").split()) for line in tree.splitlines()}
        metadata = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", target))
        for package in metadata["packages"]:
            if (package["name"], "v" + package["version"]) in {name[:2] for name in named} and package["source"]:
                found[package["name"], package["version"]] = package
    return [package for _, package in sorted(found.items())]


def sbom(crates: list[dict]) -> bytes:
    """CycloneDX 1.5, without the random serial number and the time that it may have."""
    with open(ROOT / "Cargo.lock", "rb") as file:
        locked = tomllib.load(file)["package"]
    checksums = {(it["name"], it["version"]): it.get("checksum") for it in locked}

    def component(crate: dict) -> dict:
        name, number = crate["name"], crate["version"]
        purl = f"pkg:cargo/{name}@{number}"
        made = {"type": "library", "bom-ref": purl, "name": name, "version": number, "purl": purl}
        if checksum := checksums.get((name, number)):
            made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        if terms := crate.get("license"):
            # Old crates write "MIT/Apache-2.0" for "MIT OR Apache-2.0".
            made["licenses"] = [{"expression": terms.replace("/", " OR ")}]
        if repository := crate.get("repository"):
            made["externalReferences"] = [{"type": "vcs", "url": repository}]
        return made

    itself = {"type": "application", "bom-ref": "file-share", "name": "file-share", "version": version()}
    itself["licenses"] = [{"expression": "Apache-2.0"}]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(release_time(), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": itself,
        },
        "components": [component(crate) for crate in crates],
    }
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def third_party(crates: list[dict]) -> bytes:
    """The terms of all that is built in; a text that several crates have is there once."""
    users: dict[str, list[str]] = {}
    for crate in crates:
        folder = Path(crate["manifest_path"]).parent
        for path in sorted(folder.iterdir()):
            if path.is_file() and TERMS.match(path.name):
                text = path.read_text(errors="replace").strip()
                users.setdefault(text, []).append(f"{crate['name']} {crate['version']}")
    parts = ["What is built into the programs of File Share Service, and the terms of each part.\n"]
    for crate in crates:
        parts.append(f"{crate['name']} {crate['version']}: {crate.get('license') or 'see its file below'}")
    for text, names in users.items():
        parts.append("\n" + "-" * 80 + "\n" + ", ".join(dict.fromkeys(names)) + "\n\n" + text)
    return ("\n".join(parts) + "\n").encode()


def tar_gz(folder: Path, name: str) -> bytes:
    """All files of a folder below one of that name."""
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            if not path.is_file():
                continue
            entry = tarfile.TarInfo(f"{name}/{path.relative_to(folder)}")
            entry.size = path.stat().st_size
            entry.mode = 0o755 if path.name in PROGRAMS else 0o644
            entry.mtime = release_time()
            entry.uname = entry.gname = "root"
            with open(path, "rb") as file:
                archive.addfile(entry, file)
    return gzip.compress(inner.getvalue(), compresslevel=9, mtime=0)


def pack(target: str, programs: Path, out: Path) -> None:
    system, architecture, packagers = TARGETS[target]
    name = f"file-share-{version()}-{system}"
    files = out / f".{name}"
    shutil.rmtree(files, ignore_errors=True)
    (files / "systemd").mkdir(parents=True)
    for program in PROGRAMS:
        shutil.copyfile(programs / program, files / program)
    for document in ("LICENSE", "README.md"):
        shutil.copyfile(ROOT / document, files / document)
    for unit in sorted((ROOT / "deploy/systemd").iterdir()):
        shutil.copyfile(unit, files / "systemd" / unit.name)
    (files / "THIRD-PARTY").write_bytes(third_party(built_in([target])))

    (out / f"{name}.tar.gz").write_bytes(tar_gz(files, name))
    environment = os.environ | {
        "PACKAGE_ARCH": architecture,
        "PACKAGE_VERSION": version(),
        "PACKAGE_FILES": str(files),
        "SOURCE_DATE_EPOCH": str(release_time()),
    }
    for path in files.rglob("*"):
        os.utime(path, (release_time(), release_time()))
    for packager in packagers:
        subprocess.run(
            [NFPM, "package", "--config", ROOT / "deploy/release/nfpm.yaml", "--packager", packager, "--target", out],
            check=True, env=environment, stdout=subprocess.DEVNULL,
        )
    if in_lambda := LAMBDA_ARCHITECTURES.get(target):
        terms = [files / "LICENSE", files / "THIRD-PARTY"]
        for program in LAMBDA_PROGRAMS:
            lambda_zip.pack(programs / program, out / f"{program}-{version()}-lambda-{in_lambda}.zip", terms)
    shutil.rmtree(files)


def main() -> None:
    match sys.argv[1:]:
        case ["--sbom", out]:
            Path(out, f"file-share-{version()}.cdx.json").write_bytes(sbom(built_in(list(TARGETS))))
        case [target, programs, out] if target in TARGETS:
            pack(target, Path(programs), Path(out))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
