"""Has checkov judge the CloudFormation templates in deploy/, and compares what it finds with what was reviewed.

    judge_stack.py

Ends with 0 if both are the same. Needs no network: nothing is asked and nothing is uploaded.
"""

import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
EXCEPTIONS = ROOT / "deploy/checkov.exceptions"


def found():
    """What checkov finds, as pairs of a check and a resource's name, and how many checks passed."""
    command = [
        pathlib.Path(sys.executable).with_name("checkov"),
        "--framework", "cloudformation",
        "--directory", "deploy",
        "--output", "json",
        "--skip-download",
        "--soft-fail",
    ]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    told = json.loads(ran.stdout)
    if told["summary"]["parsing_errors"]:
        sys.exit("checkov can't read one of the templates")
    results = told["results"]
    findings = {
        (finding["check_id"], finding["resource"].rpartition(".")[2])
        for finding in results["failed_checks"]
    }
    return findings, len(results["passed_checks"])


def reviewed():
    exceptions = set()
    for line in EXCEPTIONS.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        what, _, reason = line.partition(": ")
        if len(what.split()) != 2 or len(reason.split()) < 2:
            sys.exit(f"{EXCEPTIONS.name}: no check, resource and reason: {line}")
        exceptions.add(tuple(what.split()))
    return exceptions


def main():
    findings, passed = found()
    exceptions = reviewed()
    for check, resource in sorted(findings - exceptions):
        print(f"{check} {resource}: found, and not among {EXCEPTIONS.name}", file=sys.stderr)
    for check, resource in sorted(exceptions - findings):
        print(f"{check} {resource}: among {EXCEPTIONS.name}, and not found any more", file=sys.stderr)
    # Without any it looked at nothing.
    if findings != exceptions or not passed:
        sys.exit(1)
    print(f"checkov: {passed} checks passed, {len(findings)} findings are reviewed")


if __name__ == "__main__":
    main()
