"""Measures which lines of each module the unit tests and the stores' suites reach.

    coverage.py                       what `make coverage` runs
    coverage.py --unit-tests-alone    the same without the stores' suites

Prints a table by module, and ends with 1 if a module is below its floor. Only the crates of this workspace are built anew,
with rustc's own instrumentation; LLVM, the folder of `llvm-profdata` and `llvm-cov`, has to be of rustc's version. Tests
count neither as covered nor as lines.
"""

import collections
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
OUTPUT = ROOT / "target/coverage"
LLVM = pathlib.Path(os.environ.get("LLVM", "/usr/lib/llvm-22/bin"))
# What decides over files, and what keeps them, in percent. A floor is what was measured, and only ever raised; 95 is where
# they are to come. Those of the two stores were measured of unit tests alone, which reach nothing of DynamoDB and S3.
FLOORS = {
    "access": 93,
    "item_store": 95,
    "metadata_store": 56,
    "object_store": 58,
    "operations": 92,
}
# The integration tests that run the stores' suites.
SUITES = ["dynamodb_store::", "s3_store::", "store_sequences::"]
TEST_PARTS = {"tests", "conformance", "fuzzing"}


def wrapper():
    """What cargo starts in rustc's place for our own crates."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    path = OUTPUT / "instrumented"
    path.write_text('#!/bin/sh\nexec "$@" -Cinstrument-coverage\n')
    path.chmod(0o755)
    return path


def cargo(*arguments):
    environment = os.environ | {
        "RUSTC_WORKSPACE_WRAPPER": str(wrapper()),
        # A file for each program that runs at a time, in which those that follow add theirs.
        "LLVM_PROFILE_FILE": str(OUTPUT / "%m-%p.profraw"),
    }
    # The model is a package of its own, which takes long and reaches nothing of ours.
    without = ["--exclude", "file-share-model"]
    command = ["cargo", "test", "--workspace", *without, "--locked", "--message-format=json", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as ran:
        programs = []
        for line in ran.stdout:
            # Among what tests print.
            if not line.startswith('{"reason":'):
                print(line, end="")
                continue
            message = json.loads(line)
            if message.get("profile", {}).get("test") and message.get("executable"):
                programs.append(message["executable"])
    if ran.returncode:
        sys.exit("a test failed, so nothing is measured")
    return programs


def code_ends_at(path, known={}):
    """The number of the line with which a file's own tests begin."""
    if path not in known:
        lines = path.read_text().splitlines()
        starts = (number for number, line in enumerate(lines, 1) if line == "#[cfg(test)]")
        is_module = (n for n in starts if n < len(lines) and "mod tests {" in lines[n])
        known[path] = next(is_module, len(lines) + 1)
    return known[path]


def module_of(path):
    """The module that a file belongs to; None where it is a test or isn't ours."""
    try:
        parts = path.relative_to(ROOT / "src").with_suffix("").parts
    except ValueError:
        return None
    is_test = any(part in TEST_PARTS or part.endswith("_tests") for part in parts)
    return None if is_test else parts[0]


def measured(programs):
    profiles = [str(path) for path in OUTPUT.glob("*.profraw")]
    merged = OUTPUT / "all.profdata"
    listed = OUTPUT / "profiles.txt"
    listed.write_text("\n".join(profiles))
    merge = [LLVM / "llvm-profdata", "merge", "--sparse", "--input-files", listed, "--output", merged]
    subprocess.run(merge, check=True)
    objects = [part for program in programs[1:] for part in ("--object", program)]
    export = [LLVM / "llvm-cov", "export", "--format=lcov", f"--instr-profile={merged}", programs[0], *objects]
    told = subprocess.run(export, check=True, stdout=subprocess.PIPE, text=True).stdout
    # By file and line: a line that one program reaches is reached.
    lines = collections.defaultdict(dict)
    path = None
    for line in told.splitlines():
        kind, _, value = line.partition(":")
        if kind == "SF":
            path = pathlib.Path(value)
        elif kind == "DA":
            number, count = (int(part) for part in value.split(",")[:2])
            lines[path][number] = max(count, lines[path].get(number, 0))
    return lines


def main():
    for old in OUTPUT.glob("*.prof*"):
        old.unlink()
    programs = cargo("--lib")
    if "--unit-tests-alone" not in sys.argv:
        programs += cargo("--test", "it", "--", *SUITES)
    modules = collections.defaultdict(lambda: [0, 0])
    for path, lines in measured(programs).items():
        module = module_of(path)
        if module is None:
            continue
        for number, count in lines.items():
            if number < code_ends_at(path):
                modules[module][0] += count > 0
                modules[module][1] += 1
    below = []
    for module, (reached, lines) in sorted(modules.items()):
        percent = 100 * reached / lines
        floor = FLOORS.get(module)
        print(f"{module:20} {reached:6} of {lines:6} lines {percent:6.1f} %" + (f"  floor {floor}" if floor else ""))
        if floor and percent < floor:
            below.append(module)
    missing = FLOORS.keys() - modules.keys()
    if below or missing:
        sys.exit(f"below the floor or not measured: {', '.join(below + sorted(missing))}")


if __name__ == "__main__":
    main()
