#!/usr/bin/env python3
"""Makes the pictures of README: the web page, a box and the explorer as a browser shows them, and the command line
as a terminal does, all from the running programs. `make pictures` runs it.

Needs Debian's chromium, pyte (tests/tools/requirements.txt), and ports 8000 and 8001 free. What the
programs keep goes into a temporary directory.
"""

import argparse
import fcntl
import html
import json
import os
import pty
import re
import shlex
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pyte

PICTURES = Path(__file__).resolve().parent
ROOT = PICTURES.parent.parent
BASE = "http://127.0.0.1:8000"
# Where the service itself listens; people reach it by the slow line below.
BEHIND_THE_LINE = "127.0.0.1:8001"
BYTES_PER_SECOND = 2_500_000
MAX_PICTURE_BYTES = 200_000

BROWSER = os.environ.get("CHROMIUM", "chromium")
BROWSER_FLAGS = (
    "--headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()
# Until everything was loaded and drawn: five seconds of the page's own time, which stands still while it
# waits for an answer; or of the clock's, for a page that has a request open all the time.
SETTLED = "--virtual-time-budget=5000"
AFTER_A_WHILE = "--timeout=5000"

COLUMNS, LINES = 104, 40
TERMINAL_PAGE = """<!DOCTYPE html><meta charset="utf-8"><style>
body { margin: 0; background: #14171d }
pre { margin: 0; padding: 18px 22px; color: #cdd3de; background: #1b1f27;
      font: 14px/1.5 "DejaVu Sans Mono", monospace }
pre + pre { margin-top: 6px }
b { color: #fff } u { color: #7ee0a0; text-decoration: none } i { color: #7fb4ff; font-style: normal }
</style>"""


def screenshot(url, name, size, folder, when=SETTLED, scale=1.5):
    picture = PICTURES / name
    subprocess.run(
        [BROWSER, *BROWSER_FLAGS, f"--user-data-dir={folder}/browser", f"--window-size={size}",
         f"--force-device-scale-factor={scale}", when, f"--screenshot={picture}", url],
        check=True, stderr=subprocess.DEVNULL, timeout=180,
    )
    if picture.stat().st_size > MAX_PICTURE_BYTES:
        sys.exit(f"{name} has {picture.stat().st_size} bytes, more than a README should load")


def share(name, size, sends=True):
    """A file of nothing in particular; left pending if it isn't sent."""
    body = json.dumps({"filename": name, "size": size}).encode()
    create = urllib.request.Request(
        f"{BASE}/v1/files", data=body, headers={"Content-Type": "application/json"}
    )
    created = json.load(urllib.request.urlopen(create, timeout=20))
    if sends:
        send(created, size)


def send(created, size):
    """Sends as many bytes as were announced, and waits until they are checked."""
    upload = created["upload"]
    put = urllib.request.Request(upload["url"], data=bytes(size), method="PUT", headers=upload["headers"])
    urllib.request.urlopen(put, timeout=60)
    urllib.request.urlopen(f"{BASE}/v1/files/{created['id']}/metadata?wait=20", timeout=30)


def web_page(folder):
    """The page as a course sees it."""
    share("Reading list.csv", 4_820)
    share("Lecture 7 slides.pptx", 7_340_000)
    share("Blackboard photo.jpg", 2_610_000)
    share("Exercise sheet 7.pdf", 184_000)
    share("Recording part 1.mp3", 18_900_000, sends=False)
    screenshot(f"{BASE}/", "page.png", "1100,1180", folder, AFTER_A_WHILE, scale=1)


def call(method, path, body):
    request = urllib.request.Request(
        f"{BASE}{path}", data=json.dumps(body).encode(), method=method, headers={"Content-Type": "application/json"}
    )
    return json.load(urllib.request.urlopen(request, timeout=20))


def in_time(seconds):
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).isoformat(timespec="seconds")


def box(folder):
    """A box as its owner sees it, once some have handed in, the last of them late."""
    made = call("POST", "/v1/boxes", {"title": "Exercise sheet 7", "dueAt": in_time(3600), "types": ["pdf", "zip"]})
    drop = made["url"].rsplit("/", 1)[1]

    def hand_in(submitter, name, size):
        begun = call("POST", f"/v1/drop/{drop}/files", {"filename": name, "size": size, "submitter": submitter})
        send(begun, size)

    hand_in("Grace Hopper", "sheet 7.pdf", 412_000)
    hand_in("Emmy Noether", "ideals.pdf", 1_240_000)
    hand_in("Grace Hopper", "sheet 7, corrected.pdf", 418_000)
    # From the service's next second on what comes is late.
    call("PATCH", f"/v1/boxes/{made['id']}", {"dueAt": in_time(1)})
    time.sleep(3)
    hand_in("Ada Lovelace", "Notes G.zip", 2_930_000)
    screenshot(f"{BASE}/boxes#{made['id']}", "box.png", "1100,860", folder, scale=1)


def slow_line():
    """Passes on what comes to port 8000, at the speed of a home's connection, so that an upload can be
    watched."""
    listener = socket.create_server(("127.0.0.1", 8000))
    host, port = BEHIND_THE_LINE.split(":")

    def pass_on(source, target, bytes_per_second):
        try:
            while piece := source.recv(65_536):
                target.sendall(piece)
                if bytes_per_second:
                    time.sleep(len(piece) / bytes_per_second)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            target.close()

    def accept():
        while True:
            client, _ = listener.accept()
            server = socket.create_connection((host, int(port)))
            ways = [(client, server, BYTES_PER_SECOND), (server, client, None)]
            for way in ways:
                threading.Thread(target=pass_on, args=way, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def in_terminal(command, programs, folder):
    """Runs a command as a person at a terminal does. Gives what the terminal showed, each time that it
    changed."""
    screen = pyte.Screen(COLUMNS, LINES)
    # A program only sends a line feed; a terminal's driver makes two characters of it.
    stream = pyte.ByteStream(screen)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.update(PATH=f"{programs}:{os.environ['PATH']}", TERM="xterm-256color")
        os.execvp("sh", ["sh", "-c", command])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    shown = []
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # Linux says so when the other end is gone.
            break
        stream.feed(piece)
        shown.append("\n".join(line.rstrip() for line in screen.display).rstrip())
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    if status != 0:
        sys.exit(f"{command} failed:\n{shown[-1] if shown else ''}")
    return shown


def under_way(shown):
    """The moment with the most bars that have begun and aren't full; of those, one in the middle."""
    def bars(text):
        return len(re.findall(r"\[=+> *\]", text))

    most = max(bars(text) for text in shown)
    if most < 2:
        sys.exit("no two files were under way at a time: is the line too fast?")
    moments = [text for text in shown if bars(text) == most]
    return moments[len(moments) // 2]


def as_html(command, text):
    text = html.escape(text, quote=False)
    text = re.sub(r"\[(=+&gt;?) *\]|\[(=+)\]", lambda bar: f"<u>{bar[0]}</u>", text)
    text = re.sub(r"http://\S+", lambda link: f"<i>{link[0]}</i>", text)
    return f"<u>$</u> <b>{html.escape(command, quote=False)}</b>\n{text}"


def command_line(programs, folder):
    """Uploads while one watches, and what is there afterwards."""
    files = [("lecture-8.pptx", 9_400_000), ("exercises-8.pdf", 312_000), ("recording-8.mp3", 14_800_000)]
    for name, size in files:
        (folder / name).write_bytes(os.urandom(size))
    upload = "fshare upload " + " ".join(shlex.quote(name) for name, _ in files)
    shown = in_terminal(upload, programs, folder)
    listing = in_terminal("fshare list", programs, folder)[-1]
    panes = [
        as_html(upload, under_way(shown)),
        as_html(upload, shown[-1]) + "\n" + as_html("fshare list", listing),
    ]
    page = folder / "terminal.html"
    page.write_text(TERMINAL_PAGE + "".join(f"<pre>{pane}</pre>" for pane in panes))
    lines = sum(pane.count("\n") + 1 for pane in panes)
    height = 21 * lines + 36 * len(panes) + 6
    screenshot(page.as_uri(), "terminal.png", f"924,{height}", folder)
    in_terminal("fshare delete --yes $(fshare list | cut -d ' ' -f 1)", programs, folder)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--programs", type=Path, metavar="DIR",
        help="where file-share and fshare lie; without it they are built, as a release",
    )
    programs = arguments.parse_args().programs
    if programs is None:
        build = "cargo build --release --locked --workspace --bin file-share --bin fshare"
        subprocess.run(build.split(), check=True, cwd=ROOT)
        programs = ROOT / "target/release"
    programs = programs.resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        service = subprocess.Popen(
            [programs / "file-share"], cwd=folder, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "LISTEN": BEHIND_THE_LINE, "RUST_LOG": "warn"},
        )
        try:
            if BEHIND_THE_LINE not in service.stdout.readline():
                sys.exit("the program didn't start")
            slow_line()
            command_line(programs, folder)
            web_page(folder)
            box(folder)
            screenshot(f"{BASE}/explorer#?route=post-/v1/files", "explorer.png", "1200,720", folder,
                       scale=1.2)
        finally:
            service.terminate()
            service.wait(timeout=20)


if __name__ == "__main__":
    main()
