#!/usr/bin/env python3
"""Makes the pictures of README: the web page and Explorer as a browser shows them, and README's first
upload as it really runs. Needs Debian's chromium, and port 8000 free; the files go into a temporary
directory."""

import html
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

PICTURES = Path(__file__).resolve().parent
ROOT = PICTURES.parent.parent
BASE = "http://127.0.0.1:8000"
BROWSER = os.environ.get("CHROMIUM", "chromium")
BROWSER_FLAGS = (
    "--headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()

TERMINAL_PAGE = """<!DOCTYPE html><meta charset="utf-8"><style>
body { margin: 0; background: #1b1f27 }
pre { margin: 0; padding: 22px 26px; color: #d5dae3; white-space: pre-wrap; word-break: break-all;
      font: 15px/1.45 "DejaVu Sans Mono", monospace }
b { color: #fff } i { color: #8b95a5; font-style: normal } u { color: #7ee0a0; text-decoration: none }
</style><pre>"""


# Until everything was loaded and drawn: five seconds of the page's own time, which stands still while it
# waits for an answer; or of the clock's, for a page that has a request open all the time.
SETTLED = "--virtual-time-budget=5000"
AFTER_A_WHILE = "--timeout=5000"


def screenshot(url, name, size, folder, when=SETTLED):
    subprocess.run(
        [BROWSER, *BROWSER_FLAGS, f"--user-data-dir={folder}/browser", f"--window-size={size}",
         when, f"--screenshot={PICTURES / name}", url],
        check=True, stderr=subprocess.DEVNULL, timeout=60,
    )


def share(name, size, sends=True):
    """A file of nothing in particular; left pending if it isn't sent."""
    body = json.dumps({"filename": name, "size": size}).encode()
    create = urllib.request.Request(
        f"{BASE}/v1/files", data=body, headers={"Content-Type": "application/json"}
    )
    created = json.load(urllib.request.urlopen(create, timeout=20))
    if sends:
        upload = created["upload"]
        put = urllib.request.Request(
            upload["url"], data=bytes(size), method="PUT", headers=upload["headers"]
        )
        urllib.request.urlopen(put, timeout=20)
        urllib.request.urlopen(f"{BASE}/v1/files/{created['id']}/metadata?wait=20", timeout=30)


def web_page(folder):
    """The page as a course sees it."""
    share("Reading list.csv", 4_820)
    share("Lecture 7 slides.pptx", 7_340_000)
    share("Blackboard photo.jpg", 2_610_000)
    share("Exercise sheet 7.pdf", 184_000)
    share("Recording part 1.mp3", 18_900_000, sends=False)
    screenshot(f"{BASE}/", "page.png", "1100,1180", folder, AFTER_A_WHILE)


def first_upload():
    """README's commands: a line that ends in a backslash, or is indented, goes on."""
    text = (ROOT / "README.md").read_text().split("## A first upload")[1]
    block = text.split("```sh\n")[1].split("```")[0]
    commands = re.findall(r"^\S.*(?:\n[ \t]+.*)*", block, re.MULTILINE)
    # The answer to step one, which README keeps in a variable, is worth seeing.
    at = next(n for n, command in enumerate(commands) if command.startswith("id="))
    return commands[:at] + ['echo "$created"'] + commands[at:]


def run(commands, folder):
    """What each command prints, all in one shell."""
    end = "- - 8< - -"
    script = "".join(f"{command}\necho '{end}'\n" for command in commands)
    done = subprocess.run(
        ["bash"], input=script, capture_output=True, text=True, check=True, cwd=folder, timeout=120
    )
    if done.stderr:
        sys.exit(done.stderr)
    return done.stdout.split(f"{end}\n")[: len(commands)]


def terminal(greeting, commands, outputs):
    lines = ["<u>$</u> <b>cargo run --release</b>", html.escape(greeting), ""]
    for command, output in zip(commands, outputs):
        if command.startswith("#"):
            lines += ["", f"<i>{html.escape(command)}</i>"]
        else:
            lines.append(f"<u>$</u> <b>{html.escape(command)}</b>")
        # A presigned URL is long; its query is left out, and that can be seen.
        output = re.sub(r'(uploads/[0-9a-f-]+\?)[^"]+', r"\1…", output.rstrip("\n"))
        if output:
            lines.append(html.escape(output))
    return TERMINAL_PAGE + "\n".join(lines) + "</pre>"


def main():
    # Built first, so that the program says nothing but its greeting.
    cargo = ["cargo", "run", "--quiet", "--release", "--manifest-path", f"{ROOT}/Cargo.toml"]
    subprocess.run(["cargo", "build", "--release"], check=True, cwd=ROOT)
    with tempfile.TemporaryDirectory() as folder:
        program = subprocess.Popen(
            cargo, cwd=folder, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "RUST_LOG": "warn"},
        )
        try:
            greeting = "".join(program.stdout.readline() for _ in range(4)).rstrip("\n")
            if BASE not in greeting:
                sys.exit("the program didn't start")
            web_page(folder)
            commands = first_upload()
            page = Path(folder, "terminal.html")
            page.write_text(terminal(greeting, commands, run(commands, folder)))
            screenshot(page.as_uri(), "terminal.png", "1200,690", folder)
            screenshot(f"{BASE}/explorer#?route=post-/v1/files", "explorer.png", "1200,900", folder)
        finally:
            program.terminate()
            program.wait(timeout=20)


if __name__ == "__main__":
    main()
