"""What goes wrong on the way: connections that end, answers that lie. One sentence each, nothing wrong kept."""
import email.utils
import itertools
import os
import random
import shutil
import subprocess
import threading
import time
import unittest

from faults import GUARD, Faults
from hub import sha256
from program import QUERN

class Ends(Faults):
    """Connections that end early, and what is resumed."""

    def test_cut_at_any_byte(self):
        dice = random.Random(7)
        size = len(self.weights)
        places = [0, 1, 2, size // 2] + [dice.randrange(size // 20) for _ in range(8)]
        left = list(places)

        def cut(request):
            if request.where != "storage" or not left:
                return False
            request.cut(self.weights, left.pop(0))
            return True
        self.hub.hook = cut
        self.run_ok("pull", "org/tiny", env={"QUERN_HUB_RETRIES": "6"})
        ranges = [r.headers.get("Range") for r in self.hub.log if r.where == "storage"]
        self.assertEqual(len(ranges), len(places) + 1)
        self.assertEqual(ranges[0], None)
        self.assertTrue(any(r and r.startswith("bytes=") for r in ranges), ranges)
        for r in self.hub.log:  # of small files and lists too
            self.assertNotIn("Range", r.headers if r.where == "hub" and "/api/" in r.path else {})
        self.run_ok("embed", "-m", "org/tiny", "-p", "x", "--offline")

    def test_small_answers_cut(self):
        for part in ("/revision/", "/tree/", "config.json"):
            self.forget()
            left = [2]

            def cut(request, part=part, left=left):
                if part not in request.path or not left[0]:
                    return False
                left[0] -= 1
                request.cut(b'{"sha": "' + b"0" * 99, 12)
                return True
            self.hub.hook = cut
            if part == "config.json":  # its size is known, and this is another
                self.fails("pull", "org/tiny", says=("config.json", "expected"))
                self.assertNothingWrong()
            else:
                self.run_ok("pull", "org/tiny")

    def test_a_process_that_is_killed(self):
        """The next one goes on where it was."""
        self.weights = self.repo.files["model.safetensors"] = os.urandom(1 << 20)
        came = threading.Event()

        def half(request):
            if request.where != "storage" or came.is_set():
                return False
            h = request.handler
            h.send_response(200)
            h.send_header("Content-Length", str(len(self.weights)))
            h.end_headers()
            h.wfile.write(self.weights[:700000])
            h.wfile.flush()
            came.set()
            stop.wait(GUARD)
            h.close_connection = True
            return True
        stop = threading.Event()
        self.addCleanup(stop.set)
        self.hub.hook = half
        with subprocess.Popen([QUERN, "pull", "org/tiny"], env={**os.environ, **self.env}, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            came.wait(GUARD)
            partial = self.cache("models--org--tiny", "blobs", sha256(self.weights) + ".quern.incomplete")
            end = time.monotonic() + GUARD
            while not os.path.exists(partial) or os.path.getsize(partial) < 1 << 19:
                self.assertLess(time.monotonic(), end)
                time.sleep(0.01)
            process.kill()
        stop.set()
        self.assertNothingWrong()
        self.hub.log.clear()
        self.run_ok("pull", "org/tiny", "--type", "source")
        self.assertEqual([r.headers.get("Range") for r in self.hub.log if r.where == "storage"], ["bytes=524288-"])
        self.assertFalse(os.path.exists(partial))

    def partial(self, data):
        folder = self.cache("models--org--tiny", "blobs")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, sha256(self.weights) + ".quern.incomplete"), "wb") as f:
            f.write(data)

    def test_what_an_earlier_try_left(self):
        """Part, wrong part, all, wrong all, too much: hashes decide, not sizes."""
        size = len(self.weights)
        for data, ranges in ((self.weights[:1000], ["bytes=1000-"]), (b"x" * 1000, ["bytes=1000-", None]),
                             (self.weights, []), (b"x" * size, [None]), (b"x" * (size + 1), [None]), (b"", [None])):
            self.forget()
            self.partial(data)
            self.run_ok("pull", "org/tiny")
            self.assertEqual([r.headers.get("Range") for r in self.hub.log if r.where == "storage"], ranges)
            self.run_ok("embed", "-m", "org/tiny", "-p", "x", "--offline")

    def test_servers_and_ranges(self):
        """200 in place of 206, 416, 206 without Content-Range, another part than was asked for."""
        def other_part(request):
            request.reply(206, self.weights[500:], Content_Range=f"bytes 500-{len(self.weights) - 1}/{len(self.weights)}")
        for answer in (lambda r: r.reply(200, self.weights), lambda r: r.reply(416, b""),
                       lambda r: r.reply(206, self.weights[1000:]), lambda r: r.reply(206, self.weights), other_part):
            self.forget()
            self.partial(self.weights[:1000])
            self.once(answer)
            self.run_ok("pull", "org/tiny")
            self.run_ok("embed", "-m", "org/tiny", "-p", "x", "--offline")
        self.forget()
        self.partial(self.weights[:1000])
        self.once(lambda r: r.reply(416, b""), times=99)
        self.fails("pull", "org/tiny", says="model.safetensors")

    def test_cuts_of_a_server_without_ranges(self):
        """It is from the start each time: going to and fro is no progress, getting further is."""
        def cut_at(places):
            def hook(request):
                if request.where != "storage":
                    return False
                h = request.handler
                h.send_response(200)
                h.send_header("Content-Length", str(len(self.weights)))
                h.end_headers()
                h.wfile.write(self.weights[:next(places)])
                h.close_connection = True
                return True
            self.hub.hook = hook
        cut_at(itertools.cycle([1000, 1001]))
        self.fails("pull", "org/tiny", says="again and again")
        self.forget()
        cut_at(itertools.chain(range(1000, 9000, 1000), itertools.repeat(None)))
        self.run_ok("pull", "org/tiny")

    def test_cut_for_ever(self):
        self.once(lambda r: r.cut(self.weights, 0), times=99)
        self.fails("pull", "org/tiny", says=("model.safetensors", "again and again", "try again"))
        self.assertNothingWrong()


class Lies(Faults):
    def test_wrong_bytes(self):
        wrong = bytes([self.weights[0] ^ 1]) + self.weights[1:]
        self.once(lambda r: r.bytes(wrong), times=99)
        self.fails("pull", "org/tiny", says=("model.safetensors", "SHA-256", sha256(self.weights), sha256(wrong)))
        self.assertNothingWrong()
        self.assertFalse(any(".incomplete" in b for b in self.blobs()))
        self.forget()
        config = self.repo.files["config.json"]
        self.hub.hook = lambda r: r.path.endswith(self.repo.commit + "/config.json") and (r.bytes(b" " * len(config)) or True)
        self.fails("pull", "org/tiny", says=("config.json", "SHA-1"))
        self.assertNothingWrong()

    def test_wrong_lengths(self):
        size = len(self.weights)
        for length in (0, 1, size - 1, size + 1, 10**15):
            self.forget()
            self.once(lambda r, n=length: r.reply(200, self.weights[:n], length=n) if n < size else r.reply(
                200, self.weights, length=n), times=99)
            self.fails("pull", "org/tiny", says=("model.safetensors", str(size), str(length)))
            self.assertNothingWrong()
        for told in (size, False):  # none at all: the end of the connection is the end
            self.forget()
            self.once(lambda r, n=told: r.reply(200, self.weights, length=n))
            self.run_ok("pull", "org/tiny")

    def endless(self, request):
        h = request.handler
        h.send_response(200)
        h.send_header("Connection", "close")
        h.end_headers()
        h.close_connection = True
        block = b"x" * (1 << 16)
        while True:  # ends with the connection
            h.wfile.write(block)

    def test_endless_bodies(self):
        self.once(self.endless, times=9)
        self.fails("pull", "org/tiny", says=("model.safetensors", "more comes"))
        self.assertFalse(any(".incomplete" in b for b in self.blobs()))
        self.forget()
        self.once(self.endless, "hub", times=9)
        self.fails("pull", "org/tiny", says="longer than")

    def test_endless_heads(self):
        def head(request):
            h = request.handler
            h.send_response(200)
            h.end_headers = lambda: None
            h.flush_headers()
            while True:
                h.wfile.write(b"X-More: " + b"y" * 1000 + b"\r\n")
        self.once(head, "hub", times=9)
        self.fails("pull", "org/tiny", says="head")

    def test_endless_redirects(self):
        self.hub.hook = lambda r: r.reply(302, Location=r.raw_path) or True
        self.fails("pull", "org/tiny", says="without end")
        self.assertLess(len(self.hub.log), 30)
        for location in ("ftp://x/y", "file:///etc/passwd", "http://a b/", "//user@host/x", "http://"):
            self.hub.hook = lambda r, to=location: r.reply(302, Location=to) or True
            self.fails("pull", "org/tiny", says="no address")

    def test_relative_redirects(self):
        """Of a path, and of a folder's neighbour."""
        def lead(request):
            if request.where != "hub" or "moved" in request.path or "/resolve/" not in request.path:
                return False
            if request.path.endswith("/config.json"):
                request.reply(302, Location="moved-" + request.raw_path.rsplit("/", 1)[1])
            else:
                request.reply(307, Location="/moved" + request.raw_path)
            return True
        original = self.hub.answer

        def answer(request):
            request.path = request.path.replace("/moved/", "/").replace("moved-", "")
            original(request)
        self.hub.hook, self.hub.answer = lead, answer
        self.run_ok("pull", "org/tiny")

    def test_no_json(self):
        page = b"<html><title>Sign in to the network</title></html>"
        for kind in ("revision", "tree"):
            self.hub.hook = lambda r, k=kind: f"/{k}/" in r.path and (r.reply(200, page, Content_Type="text/html") or True)
            self.fails("pull", "org/tiny", says=("JSON", "text/html", "proxy"))
        for body in (b"", b"null", b"[]", b'{"sha": "main"}', b'{"sha": "../../../../../../../../../../../etc/passwd"}',
                     b"[" * 100000, b'{"sha": 1}'):
            self.hub.hook = lambda r, b=body: "/revision/" in r.path and (r.reply(200, b) or True)
            self.fails("pull", "org/tiny", says="org/tiny")
        for body in (b"{}", b"[1]", b"null", b'[{"type": "file", "path": 3, "oid": "x", "size": -1}]'):
            self.hub.hook = lambda r, b=body: "/tree/" in r.path and (r.reply(200, b) or True)
            self.fails("pull", "org/tiny", says="org/tiny")

    def test_a_list_without_end(self):
        self.hub.hook = lambda r: "/tree/" in r.path and (r.json([], Link=f'<{r.raw_path}>; rel="next"') or True)
        self.fails("pull", "org/tiny", says="without an end")


class Trouble(Faults):
    def test_passing_trouble(self):
        for status in (408, 429, 500, 502, 503, 504):
            for where in ("hub", "storage"):
                self.forget()
                self.once(lambda r, s=status: r.refuse(s, Retry_After="0"), where)
                self.run_ok("pull", "org/tiny")

    def test_lasting_trouble(self):
        for status, says in ((429, "limit of requests"), (500, "500"), (503, "503")):
            self.once(lambda r, s=status: r.refuse(s, Retry_After="0"), "hub", times=99)
            self.hub.log.clear()
            self.fails("pull", "org/tiny", says=says)
            self.assertEqual(len(self.hub.log), 3)
        self.once(lambda r: r.refuse(429, Retry_After="86400"), "hub", times=99)
        self.hub.log.clear()
        self.fails("pull", "org/tiny", says=("86400 s", "HF_TOKEN"))
        self.assertEqual(len(self.hub.log), 1)
        self.once(lambda r: r.refuse(403), times=99)
        self.fails("pull", "org/tiny", says=(self.hub.storage, "403"))

    def waited(self, **headers):
        times = []

        def hook(request):
            times.append(time.monotonic())
            if len(times) > 1:
                return False
            request.refuse(429, **headers)
            return True
        self.forget()
        self.hub.hook = hook
        self.run_ok("pull", "org/tiny")
        return times[1] - times[0]

    def test_waits_that_the_hub_asks_for(self):
        self.assertGreaterEqual(self.waited(RateLimit='"api";r=0;t=1'), 1.9)
        self.assertGreaterEqual(self.waited(Retry_After="1"), 0.9)
        date = email.utils.formatdate(time.time() + 3, usegmt=True)
        self.assertGreaterEqual(self.waited(Retry_After=date), 1)

    def test_a_limit_that_is_reached_by_what_succeeds(self):
        """r=0 on an answer holds the next request back; r=1 does not."""
        times = []

        def hook(request):
            times.append(time.monotonic())
            if "/revision/" not in request.path:
                return False
            request.json({"sha": self.repo.commit}, RateLimit=f'"api";r={self.left};t=2')
            return True
        self.hub.hook = hook
        self.left = 0
        self.run_ok("pull", "org/tiny")
        self.assertGreaterEqual(times[1] - times[0], 2.9)

    def test_slow(self):
        """What sends nothing is given up; what goes on slowly is not."""
        stop = threading.Event()
        self.addCleanup(stop.set)
        self.once(lambda r: stop.wait(GUARD), "hub", times=99)
        self.fails("pull", "org/tiny", env={"HF_HUB_ETAG_TIMEOUT": "1", "QUERN_HUB_RETRIES": "1"}, says="sends nothing any more")

        def drip(request):
            h = request.handler
            h.send_response(200)
            h.send_header("Content-Length", str(len(self.weights)))
            h.end_headers()
            step = len(self.weights) // 20 + 1
            for at in range(0, len(self.weights), step):
                h.wfile.write(self.weights[at:at + step])
                time.sleep(0.6)
        self.once(drip)
        begin = time.monotonic()
        done = self.run_ok("pull", "org/tiny", "--type", "source", env={"HF_HUB_DOWNLOAD_TIMEOUT": "2"})
        seconds = time.monotonic() - begin
        lines = done.stderr.decode().splitlines()[:-1]  # without the summary
        self.assertRegex(lines[0], "asking the Hub")
        self.assertRegex(lines[1], r"downloading, [0-9.]+ MB of [0-9.]+ MB, [0-9.]+ MB/s, \d+ s left")
        self.assertLessEqual(len(lines), 1 + seconds / 10)

    def test_a_signed_address_that_has_run_out(self):
        self.once(lambda r: r.reply(403, b"<Error>Request has expired</Error>"))
        self.run_ok("pull", "org/tiny")
        self.assertEqual(len(self.hub.paths("storage")), 2)
        self.assertEqual(len([p for p in self.hub.paths() if p.endswith("model.safetensors")]), 2)


if __name__ == "__main__":
    unittest.main()
