"""Runs schemathesis against the real program in local mode, from tests/openapi.json.

    target/schemathesis/bin/python tests/tools/run_schemathesis.py --program target/debug/file-share

Starts the program with files in every state, sends at least as many cases as are asked for, and
prints what was answered, by operation and status. Fails if an answer isn't as the contract says, if
there were fewer cases, or if an operation never got past its 404s.
"""

import argparse
import collections
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONTRACT = HERE.parent / "openapi.json"
# What one run of schemathesis is asked for. Beyond about twice that, it spends most of its time on
# climbing towards better examples, without sending any.
BATCH = 300
# Files of each state to ask about, and files to delete.
FILES = 12
DISPOSABLE = 150
# Tokens to revoke.
TOKENS = 30
# Programs that wait to be let in, for each use of a code. An address may begin a hundred in five minutes.
PAIRINGS = 3
PATIENCE_SECONDS = 60


class Program:
    """The real program, in a data directory that outlives it."""

    def __init__(self, path, data_dir, log, **settings):
        environment = {
            "PATH": os.environ["PATH"],
            "LISTEN": "127.0.0.1:0",
            "DATA_DIR": str(data_dir),
            "RUST_LOG": "warn",
            # It asks as fast as it can, and what a call too many is answered is tested elsewhere.
            "RATE_READ": "off",
            "RATE_CREATE": "off",
            "RATE_SECRET": "off",
            **settings,
        }
        self.process = subprocess.Popen(
            [path], env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
        greeting = self.process.stdout.readline()
        found = re.search(r"http://[^ ]+", greeting)
        if not found:
            raise SystemExit(f"{path} didn't start: {greeting}")
        self.base = found.group()
        # Shown to the service alone, and not where its signed URLs lead.
        self.key = None
        if settings.get("ACCESS") == "key":
            self.key = (data_dir / "access-key").read_text(encoding="ascii").strip()

    def call(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        url = path
        if not path.startswith("http"):
            url = self.base + path
            if self.key:
                headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(url, data=body, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            return answer.read()

    def create(self, size):
        body = json.dumps({"filename": "lecture notes.pdf", "size": size}).encode()
        answer = self.call("POST", "/v1/files", body, {"Content-Type": "application/json"})
        return json.loads(answer)

    def share(self, content):
        created = self.create(len(content))
        upload = created["upload"]
        self.call(upload["method"], upload["url"], content, upload["headers"])
        self.await_status(created["id"], "available")
        return created["id"]

    def await_status(self, file_id, status):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self.call("GET", f"/v1/files/{file_id}/metadata?wait=5")
            if json.loads(answer)["status"] == status:
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"{file_id} isn't {status}: {answer}")

    def stop(self):
        self.process.terminate()
        if self.process.wait(PATIENCE_SECONDS) != 0:
            raise SystemExit("the program didn't stop as it should")


def prepare(path, data_dir, log):
    """Files that are settled otherwise than by a good upload: their URLs run out at once, and some
    have bytes by then that aren't what was declared."""
    program = Program(
        path, data_dir, log, UPLOAD_URL_TTL="1s", UPLOAD_GRACE="1s", RECONCILE_INTERVAL="1s"
    )
    expired = [program.create(5)["id"] for _ in range(FILES)]
    rejected = [program.create(5)["id"] for _ in range(FILES)]
    for file_id in rejected:
        # The endpoint would refuse them, so they come from elsewhere.
        place = data_dir / "objects" / file_id[-2:] / file_id
        place.write_bytes(b"other bytes")
    for file_id in expired:
        program.await_status(file_id, "expired")
    for file_id in rejected:
        program.await_status(file_id, "rejected")
    program.stop()
    return {"expired": expired, "rejected": rejected}


def serve(path, data_dir, log):
    # Long enough for a whole run, so that what is pending stays so. Asking for its key, so that there are tokens.
    return Program(path, data_dir, log, UPLOAD_URL_TTL="12h", ACCESS="key")


def new_tokens(program):
    """Some tokens in the place of those that there are, of which there may be so many only."""
    for token in json.loads(program.call("GET", "/v1/tokens"))["tokens"]:
        program.call("DELETE", f"/v1/tokens/{token['id']}")
    body = json.dumps({"label": "to revoke", "scopes": ["read"]}).encode()
    headers = {"Content-Type": "application/json"}
    made = [program.call("POST", "/v1/tokens", body, headers) for _ in range(TOKENS)]
    return [json.loads(token)["id"] for token in made]


def new_session(program):
    """What a browser sends that has signed in with the key."""
    body = json.dumps({"key": program.key}).encode()
    request = urllib.request.Request(
        program.base + "/v1/session", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        return answer.headers["Set-Cookie"].split(";")[0]


def new_pairings(program):
    """Programs that wait to be let in, for each of what is done with their codes."""
    body = json.dumps({"client": "a program"}).encode()

    def begin():
        headers = {"Content-Type": "application/json"}
        return json.loads(program.call("POST", "/v1/pairings", body, headers))

    codes = {"device": [begin()["deviceCode"] for _ in range(PAIRINGS)]}
    for use in ["look", "approve", "approve with scopes"]:
        codes[use] = [begin()["userCode"] for _ in range(PAIRINGS)]
    return codes


def new_links(program, files):
    """Links to these files, in the place of those that there are, of which a file may be in so many only."""
    page = {"links": [None]}
    while page["links"]:
        page = json.loads(program.call("GET", "/v1/links?limit=100"))
        for link in page["links"]:
            program.call("DELETE", f"/v1/links/{link['id']}")
    headers = {"Content-Type": "application/json"}

    def make(file):
        body = json.dumps({"files": [file]}).encode()
        return json.loads(program.call("POST", "/v1/links", body, headers))

    made = [make(file) for file in files]
    # Not among those that are changed: a case could give one a password.
    passed_on = [make(file) for file in files]
    to_end = [make(file)["id"] for file in files for _ in range(DISPOSABLE // len(files) + 1)]
    page = json.loads(program.call("GET", "/v1/links?limit=1"))
    shared = [
        {"id": link["id"], "token": link["url"].rsplit("/", 1)[1], "file": link["files"][0]}
        for link in passed_on
    ]
    return {
        "links": {"made": [link["id"] for link in made]},
        "links to end": {"made": to_end},
        "cursor of links": page["nextCursor"],
        "shared": shared,
    }


def new_boxes(program):
    """Boxes: some to look at and to change, some to end, and one to hand in to, which no case changes."""
    page = {"boxes": [None]}
    while page["boxes"]:
        page = json.loads(program.call("GET", "/v1/boxes?limit=100"))
        for file_box in page["boxes"]:
            program.call("DELETE", f"/v1/boxes/{file_box['id']}")
    body = json.dumps({"title": "Sheet 3"}).encode()

    def make():
        return json.loads(program.call("POST", "/v1/boxes", body, {"Content-Type": "application/json"}))

    opened = make()
    return {
        "boxes": {"made": [make()["id"] for _ in range(FILES)]},
        "boxes to end": {"made": [make()["id"] for _ in range(FILES)]},
        "box to hand in to": opened["url"].rsplit("/", 1)[1],
        "cursor of boxes": json.loads(program.call("GET", "/v1/boxes?limit=1"))["nextCursor"],
    }


def fill(program, settled):
    """Files for one batch, since it deletes some and asks for fresh URLs of others."""
    deleted = [program.create(5)["id"] for _ in range(FILES)]
    for file_id in deleted:
        program.call("DELETE", f"/v1/files/{file_id}")
    files = {
        **settled,
        "available": [program.share(f"content {n}".encode()) for n in range(FILES)],
        "deleted": deleted,
        "pending": [program.create(5)["id"] for _ in range(FILES)],
    }
    disposable = {
        "available": [program.share(b"to delete") for _ in range(FILES)],
        "pending": [program.create(5)["id"] for _ in range(DISPOSABLE)],
    }
    cursors = {}
    for status in ["None", "pending", "available", "rejected", "expired"]:
        query = "" if status == "None" else f"&status={status}"
        page = json.loads(program.call("GET", f"/v1/files?limit=1{query}"))
        cursors[status] = page["nextCursor"]
    return {
        **new_links(program, files["available"]),
        **new_boxes(program),
        "files": files,
        "disposable": disposable,
        "cursors": cursors,
        "tokens": {"holding": new_tokens(program)},
        "pairings": new_pairings(program),
        "session": new_session(program),
        "key": program.key,
    }


def run(program, prepared, examples, seed, scratch):
    environment = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": str(HERE / "schemathesis_hooks.py"),
        "PREPARED_FILES": str(scratch / "prepared.json"),
        "ANSWERS": str(scratch / "answers.json"),
        # A seed is a seed whatever else the environment holds.
        "PYTHONHASHSEED": "0",
    }
    (scratch / "prepared.json").write_text(json.dumps(prepared), encoding="utf-8")
    config = scratch / "schemathesis.toml"
    config.write_text(
        (HERE / "schemathesis.toml").read_text(encoding="utf-8")
        + f"\n[generation]\nmax-examples = {examples}\n",
        encoding="utf-8",
    )
    command = [
        str(Path(sys.executable).parent / "schemathesis"),
        f"--config-file={config}",
        "run",
        str(CONTRACT),
        f"--url={program.base}",
        "--checks=all",
        f"--seed={seed}",
        "--generation-database=none",
        "--request-timeout=30",
        "--continue-on-failure",
        "--no-color",
    ]
    outcome = subprocess.run(command, cwd=scratch, env=environment, check=False)
    answers = json.loads((scratch / "answers.json").read_text())
    return outcome.returncode, answers


def run_batches(program, settled, arguments, scratch):
    """One run after the other, each with the next seed, until there were enough cases."""
    paths = json.loads(CONTRACT.read_text(encoding="utf-8"))["paths"].values()
    operations = sum(len(methods) for methods in paths)
    code, answers, seed = 0, collections.defaultdict(collections.Counter), arguments.seed
    while code == 0 and (missing := arguments.cases - count(answers)) > 0:
        examples = max(1, min(missing, BATCH) // operations)
        code, of_batch = run(program, fill(program, settled), examples, seed, scratch)
        for name, counter in of_batch.items():
            answers[name].update(counter)
        seed += 1
    return code, answers


def count(answers):
    return sum(sum(counter.values()) for counter in answers.values())


# What succeeds only where people sign in at an issuer, which tests of their own have.
AT_AN_ISSUER = {"GET /v1/session/start", "GET /v1/session/callback"}


def summarise(answers, cases):
    """What was answered; and what is wrong with it as a whole."""
    wrong = []
    total = count(answers)
    print(f"\n{total} cases, by operation and status:")
    for name, counter in sorted(answers.items()):
        of_operation = sum(counter.values())
        shares = ", ".join(
            f"{status} {100 * n / of_operation:.0f} %" for status, n in sorted(counter.items())
        )
        print(f"  {name:34} {of_operation:6}  {shares}")
        # 405 is for methods that the path doesn't have.
        succeeds = any(int(status) < 400 for status in counter) or set(counter) == {"405"}
        if not succeeds and name not in AT_AN_ISSUER:
            wrong.append(f"{name} was never answered with success")
    if total < cases:
        wrong.append(f"there were {total} cases, and {cases} were asked for")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, type=lambda text: str(Path(text).resolve()))
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile("w+") as log:
        scratch = Path(directory)
        data_dir = scratch / "data"
        settled = prepare(arguments.program, data_dir, log)
        program = serve(arguments.program, data_dir, log)
        try:
            code, answers = run_batches(program, settled, arguments, scratch)
        finally:
            program.process.terminate()
            program.process.wait(PATIENCE_SECONDS)
        wrong = summarise(answers, arguments.cases)
        log.seek(0)
        logged = [line for line in log if "panicked" in line or " ERROR " in line]
        wrong += [f"it logged: {line.strip()}" for line in logged[:5]]
        for what in wrong:
            print(f"wrong: {what}")
        sys.exit(code or bool(wrong))


if __name__ == "__main__":
    main()
