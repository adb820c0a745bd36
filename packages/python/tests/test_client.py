"""What the package does, against the real service, which tests/it/python_package.rs starts.

Invariant: nothing here knows how the package is made; it is imported as it was installed.
"""

import fcntl
import json
import os
import tempfile
import time
import tracemalloc
import unittest
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

from fault_proxy import Fault, FaultProxy
from file_share_client import Busy, Damaged, Link, Refused, Unreachable, fetch, share
from file_share_client._http import retry_after

BASE = os.environ["FILE_SHARE_TEST_URL"]
TOKEN = os.environ["FILE_SHARE_TOKEN"]
MIB = 1024 * 1024
#: Far more than is needed, for a busy machine.
PATIENCE = 60.0


def pattern(size: int) -> bytes:
    return bytes((n * n >> 7) & 255 for n in range(4096)) * (size // 4096 + 1)


class Case(unittest.TestCase):
    def setUp(self) -> None:
        self.dir = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.inbox = self.dir / "inbox"
        self.inbox.mkdir()
        self.proxy = self.enterContext(FaultProxy(BASE))

    def file(self, content: bytes, name: str = "notes.txt") -> Path:
        path = self.dir / name
        path.write_bytes(content)
        return path

    def shared(self, content: bytes, name: str = "notes.txt", **more: object) -> Link:
        return share(self.file(content, name), base=self.proxy.url, patience=PATIENCE, **more)  # type: ignore[arg-type]

    def meets(self, method: str, path: str, **fault: object) -> None:
        self.proxy.faults.append(Fault(method, path, **fault))  # type: ignore[arg-type]

    def left(self) -> list[str]:
        return sorted(path.name for path in self.inbox.iterdir())


class Sharing(Case):
    def test_what_is_shared_is_fetched_as_it_was(self) -> None:
        for size in (0, 1, 300_000):
            content = pattern(size)[:size]
            link = self.shared(content, f"file-{size}.bin")
            self.assertEqual(link.file.size, size)
            path = fetch(link, into=self.inbox, patience=PATIENCE)
            self.assertEqual(path, self.inbox / f"file-{size}.bin")
            self.assertEqual(path.read_bytes(), content)
        self.assertEqual(len(self.left()), 3)

    def test_memory_does_not_grow_with_a_file(self) -> None:
        content = pattern(16 * MIB)[: 16 * MIB]
        path = self.file(content)
        heard: list[int] = []
        tracemalloc.start()
        link = share(path, base=BASE, patience=PATIENCE, on_progress=lambda sent, _: heard.append(sent))
        fetched = fetch(link, into=self.inbox, patience=PATIENCE)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        self.assertEqual(fetched.read_bytes(), content)
        self.assertLess(peak, 8 * MIB)
        self.assertEqual((heard[-1], sorted(heard)), (len(content), heard))

    def test_the_token_goes_to_the_service_and_never_to_the_store_or_to_where_a_link_leads(self) -> None:
        fetch(self.shared(b"hello"), into=self.inbox, patience=PATIENCE)
        for method, path, headers in self.proxy.requests:
            is_call = "/v1/files" in path or path == "/v1/links"
            self.assertEqual(headers.get("authorization"), f"Bearer {TOKEN}" if is_call else None, (method, path))
        self.assertTrue(any(method == "PUT" for method, _, _ in self.proxy.requests))

    def test_a_link_is_a_secret_that_a_log_does_not_show_by_accident(self) -> None:
        link = self.shared(b"hello")
        self.assertIn("/s/", str(link))
        self.assertNotIn("/s/", repr(link))

    def test_an_upload_that_breaks_off_is_sent_again(self) -> None:
        self.meets("PUT", "/uploads/", cut_request_after=100_000)
        content = pattern(300_000)[:300_000]
        link = self.shared(content)
        self.assertEqual(len(self.proxy.seen("PUT", "/uploads/")), 2)
        self.assertEqual(fetch(link, self.inbox, patience=PATIENCE).read_bytes(), content)

    def test_an_upload_whose_answer_was_lost_is_sent_once(self) -> None:
        self.meets("PUT", "/uploads/", lose_answer=True)
        self.shared(b"hello")
        self.assertEqual(len(self.proxy.seen("PUT", "/uploads/")), 1)

    def test_a_create_whose_answer_was_lost_makes_one_file(self) -> None:
        self.meets("POST", "/v1/files", lose_answer=True)
        self.shared(b"hello")
        keys = [headers["idempotency-key"] for headers in self.proxy.seen("POST", "/v1/files")[:2]]
        self.assertEqual(keys[0], keys[1])

    def test_a_url_that_ran_out_is_renewed(self) -> None:
        self.meets("PUT", "/uploads/", answer=(403, {}, b"<Error><Code>AccessDenied</Code></Error>"))
        self.shared(b"hello")
        self.assertEqual(len(self.proxy.seen("POST", "/upload")), 1)

    def test_who_is_asked_to_wait_waits_as_long_and_no_longer_than_there_is_patience(self) -> None:
        for status in (429, 503):
            self.meets("POST", "/v1/files", answer=(status, {"Retry-After": "1"}, b"{}"))
            began = time.monotonic()
            self.shared(b"hello")
            self.assertGreaterEqual(time.monotonic() - began, 1.0)
        self.meets("POST", "/v1/files", answer=(503, {"Retry-After": "3600"}, b"{}"), times=9)
        began = time.monotonic()
        with self.assertRaises(Busy) as raised:
            self.shared(b"hello")
        self.assertEqual(raised.exception.retry_after, 3600)
        self.assertLess(time.monotonic() - began, 30)

    def test_what_is_refused_is_said_by_its_code_and_not_asked_again(self) -> None:
        for changed, code, status in (({"token": "fst_wrong"}, "sign_in_required", 401), ({"max_downloads": 0}, "invalid_request", 400)):
            with self.assertRaises(Refused) as raised:
                self.shared(b"hello", **changed)
            self.assertEqual((raised.exception.code, raised.exception.status), (code, status))
            self.assertNotIn("fst_", str(raised.exception))
        with self.assertRaises(Refused) as raised:
            self.shared(bytes(21 * MIB))
        self.assertEqual(raised.exception.code, "content_too_large")

    def test_a_file_that_changes_while_it_is_sent_is_not_passed_on(self) -> None:
        path = self.file(pattern(2 * MIB))

        def change(sent: int, _: int) -> None:
            with path.open("r+b") as file:
                file.seek(MIB)
                file.write(b"other")

        with self.assertRaises(Damaged):
            share(path, base=BASE, patience=PATIENCE, on_progress=change)

    def test_no_redirect_takes_the_token_elsewhere(self) -> None:
        with FaultProxy(BASE) as elsewhere:
            for status in (301, 302, 303, 307, 308):
                self.meets("POST", "/v1/files", answer=(status, {"Location": f"{elsewhere.url}/v1/files"}, b""))
                with self.assertRaises(Refused):
                    self.shared(b"hello")
            self.assertEqual(elsewhere.requests, [])

    def test_times_need_a_zone(self) -> None:
        with self.assertRaises(ValueError):
            self.shared(b"hello", expires_at=datetime(2030, 1, 1))
        link = self.shared(b"hello", expires_at=datetime.now(UTC) + timedelta(days=2))
        self.assertTrue(link.expires_at.endswith("Z"))


class Fetching(Case):
    CONTENT = pattern(3 * MIB)[: 3 * MIB]

    def test_a_download_that_breaks_off_goes_on_where_it_ended(self) -> None:
        link = self.shared(self.CONTENT)
        self.meets("GET", "/uploads/", cut_answer_after=2 * MIB)
        path = fetch(link, self.inbox, patience=PATIENCE)
        self.assertEqual(path.read_bytes(), self.CONTENT)
        ranges = [headers.get("range") for headers in self.proxy.seen("GET", "/uploads/")]
        self.assertEqual(ranges, [None, f"bytes={2 * MIB}-"])
        keys = {headers["idempotency-key"] for headers in self.proxy.seen("POST", "/downloads")}
        self.assertEqual(len(keys), 1, "it counts once")

    def test_another_run_goes_on_where_one_was_given_up(self) -> None:
        link = self.shared(self.CONTENT)
        self.meets("GET", "/uploads/", cut_answer_after=2 * MIB)
        with self.assertRaises(Unreachable):
            fetch(link, self.inbox, patience=0)
        self.assertEqual([name.endswith(".part") for name in self.left()], [True])
        self.assertEqual(fetch(link, self.inbox, patience=PATIENCE).read_bytes(), self.CONTENT)
        self.assertEqual(self.proxy.seen("GET", "/uploads/")[-1].get("range"), f"bytes={2 * MIB}-")
        self.assertEqual(self.left(), ["notes.txt"])

    def test_other_bytes_are_left_nowhere(self) -> None:
        link = self.shared(self.CONTENT)
        self.meets("GET", "/uploads/", rewrite=lambda body: body[:-1] + b"?")
        with self.assertRaises(Damaged):
            fetch(link, self.inbox, patience=PATIENCE)
        self.assertEqual(self.left(), [])

    def test_what_an_earlier_run_left_of_something_else_is_found_out(self) -> None:
        link = self.shared(self.CONTENT)
        part = self.inbox / f".{link.file.sha256[:32]}.part"
        part.write_bytes(b"x" * MIB)
        with self.assertRaises(Damaged):
            fetch(link, self.inbox, patience=PATIENCE)
        self.assertEqual(fetch(link, self.inbox, patience=PATIENCE).read_bytes(), self.CONTENT)

    def test_nothing_that_is_there_is_replaced_unless_that_is_said(self) -> None:
        link = self.shared(b"hello")
        (self.inbox / "notes.txt").write_bytes(b"mine")
        with self.assertRaises(FileExistsError):
            fetch(link, self.inbox, patience=PATIENCE)
        self.assertEqual((self.inbox / "notes.txt").read_bytes(), b"mine")
        fetch(link, self.inbox, overwrite=True, patience=PATIENCE)
        before = len(self.proxy.seen("POST", "/downloads"))
        # The same bytes needn't come again.
        self.assertEqual(fetch(link, self.inbox, patience=PATIENCE).read_bytes(), b"hello")
        self.assertEqual(len(self.proxy.seen("POST", "/downloads")), before)

    def test_a_name_from_outside_leads_nowhere(self) -> None:
        link = self.shared(b"hello")
        for name in ("../evil", "/etc/evil", "..", "a\\b", "C:evil", ""):
            changed = lambda body, name=name: _renamed(body, name)  # noqa: E731
            self.meets("GET", "/v1/shared/", rewrite=changed)
            with self.assertRaises(Refused):
                fetch(link, self.inbox, patience=PATIENCE)
        self.assertEqual(self.left(), [])

    def test_a_part_that_is_somebody_elses_link_is_not_written_through(self) -> None:
        link = self.shared(b"hello")
        (self.dir / "precious").write_bytes(b"precious")
        (self.inbox / f".{link.file.sha256[:32]}.part").symlink_to(self.dir / "precious")
        with self.assertRaises(OSError):
            fetch(link, self.inbox, patience=PATIENCE)
        self.assertEqual((self.dir / "precious").read_bytes(), b"precious")

    def test_two_at_once_do_not_write_over_each_other(self) -> None:
        link = self.shared(self.CONTENT)
        with (self.inbox / f".{link.file.sha256[:32]}.part").open("w+b") as part:
            fcntl.flock(part, fcntl.LOCK_EX)
            with self.assertRaises(BlockingIOError):
                fetch(link, self.inbox, patience=PATIENCE)
        self.assertEqual(fetch(link, self.inbox, patience=PATIENCE).read_bytes(), self.CONTENT)

    def test_a_store_that_is_busy_is_asked_again_when_it_says(self) -> None:
        link = self.shared(b"hello")
        self.meets("GET", "/uploads/", answer=(503, {"Retry-After": "1"}, b""))
        began = time.monotonic()
        fetch(link, self.inbox, patience=PATIENCE)
        self.assertGreaterEqual(time.monotonic() - began, 1.0)

    def test_a_password_is_asked_for(self) -> None:
        link = self.shared(b"hello", password="long enough")
        for wrong in (None, "wrong"):
            with self.assertRaises(Refused) as raised:
                fetch(link, self.inbox, password=wrong, patience=PATIENCE)
            self.assertEqual(raised.exception.code, "wrong_password")
        self.assertEqual(fetch(link, self.inbox, password="long enough", patience=PATIENCE).read_bytes(), b"hello")

    def test_what_is_in_the_way_is_said_before_a_link_with_a_password_counts_anything(self) -> None:
        link = self.shared(b"hello", password="long enough")
        target = self.inbox / "another"
        target.write_bytes(b"something longer")
        # Only the digest, which counts, would be asked for with the password: the wrong one is never told.
        with self.assertRaises(FileExistsError):
            fetch(link, target, password="wrong", patience=PATIENCE)

    def test_a_path_of_its_own_and_a_link_with_a_sentence_behind_it(self) -> None:
        link = self.shared(b"hello")
        self.assertEqual(fetch(f"{link}.", self.dir / "own name", patience=PATIENCE).read_bytes(), b"hello")
        for wrong in ("", "notes.txt", "file:///s/abc", "http://host/f/123", f"{BASE}/s/a b"):
            with self.assertRaises(ValueError):
                fetch(wrong, self.inbox)

    def test_no_link_makes_it_read_a_file_of_this_machine(self) -> None:
        link = self.shared(b"hello")
        leading = json.dumps({"url": (self.dir / "notes.txt").as_uri()}).encode()
        self.meets("POST", "/downloads", answer=(201, {}, leading))
        with self.assertRaises(Refused):
            fetch(link, self.inbox, patience=PATIENCE)


def _renamed(body: bytes, name: str) -> bytes:
    shared = json.loads(body)
    shared["files"][0]["filename"] = name
    return json.dumps(shared).encode()


class Waiting(unittest.TestCase):
    def test_a_retry_after_is_read_in_both_forms(self) -> None:
        with mock.patch("time.time", return_value=784111777.0):
            for header, expected in (
                ("5", 5.0),
                ("0", 0.0),
                ("Sun, 06 Nov 1994 08:49:40 GMT", 3.0),
                ("Sun, 06 Nov 1994 08:49:00 GMT", 0.0),
                ("-5", None),
                ("soon", None),
                ("9" * 40, None),
                (None, None),
            ):
                self.assertEqual(retry_after(header), expected, header)


if __name__ == "__main__":
    unittest.main()
