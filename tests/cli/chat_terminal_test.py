"""quern chat at a terminal: editing, earlier lines, pastes of several lines, Ctrl-C and Ctrl-D."""
import ctypes.util
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
import unittest

sys.path.append(os.path.join(os.environ["QUERN_TEST_DIR"], "server"))
import models
from program import QUERN

WANTS, READ = "\x1b[?2004h", "\x1b[?2004l"  # written before a line is read, and behind it
GUARD = 20  # seconds: against hanging alone


class Terminal:
    def __init__(self, *args):
        here, there = pty.openpty()
        self.fd = here
        self.process = subprocess.Popen([QUERN, "chat", "-m", models.generator(), "-n", "4", "--temp", "0", *args], stdin=there, stdout=there,
                                        stderr=there, start_new_session=True, preexec_fn=lambda: __import__("fcntl").ioctl(there, 0x540E, 0),
                                        env={**os.environ, "TERM": "xterm"})
        os.close(there)
        self.seen = ""

    def wait(self, text):
        """Reads until `text` is there; what came up to it."""
        end = time.monotonic() + GUARD
        while text not in self.seen:
            if not select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f"never {text!r}: {self.seen!r}")
            try:
                self.seen += os.read(self.fd, 4096).decode("utf-8", "replace")
            except OSError:
                raise AssertionError(f"it ended before {text!r}: {self.seen!r}") from None
        before, _, self.seen = self.seen.partition(text)
        return before

    def type(self, text):
        """Once the prompt reads keys one by one, as soon after it is shown as anybody types."""
        end = time.monotonic() + GUARD
        while termios.tcgetattr(self.fd)[3] & termios.ICANON:
            assert time.monotonic() < end, self.seen
            time.sleep(0.001)
        os.write(self.fd, text.encode())

    def end(self):
        code = self.process.wait(GUARD)
        os.close(self.fd)
        return code


@unittest.skipUnless(ctypes.util.find_library("edit"), "libedit is not installed")
class ChatTerminal(unittest.TestCase):
    def start(self):
        terminal = Terminal()
        self.addCleanup(lambda: terminal.process.poll() is None and terminal.process.kill())
        terminal.wait("/help tells the commands.")
        terminal.wait("> ")
        return terminal

    def test_editing(self):
        t = self.start()
        t.type("/helq\x7fp\r")  # a letter taken back
        t.wait("forget the conversation")
        t.wait("> ")
        t.type("/reset\r")
        t.wait("(forgotten)")
        t.wait("> ")
        t.type("\x1b[A\x1b[A\r")  # two lines back
        t.wait("forget the conversation")
        t.wait("> ")
        t.type("xit\x01/e\r")  # to the line's begin
        self.assertEqual(t.end(), 0)

    def test_a_paste_is_one_message(self):
        t = self.start()
        t.type("\x1b[200~the quick\r\nfüchse 中文\njumps\x1b[201~")
        t.wait("füchse 中文")
        t.wait("jumps")
        t.type("\r")
        t.wait(READ)
        self.assertNotIn(READ, t.wait(WANTS))  # an answer, and the next line is waited for: the paste was one
        t.wait("> ")
        t.type("\x04")
        t.wait(READ)
        self.assertEqual(t.end(), 0)

    def test_letters_beyond_ascii(self):
        t = self.start()
        t.type("/größe")
        t.wait("/größe")
        t.type("\r")
        t.wait("no such command")
        t.wait("> ")
        t.type("/exit\r")
        self.assertEqual(t.end(), 0)

    def test_interrupt_at_the_prompt(self):
        t = self.start()
        t.type("half a line")
        t.wait("half a line")
        t.process.send_signal(signal.SIGINT)
        t.wait("(/exit or Ctrl-D leaves)")
        t.wait("> ")
        t.type("/exit\r")
        self.assertEqual(t.end(), 0)

    def test_end_of_input(self):
        t = self.start()
        t.type("\x04")
        self.assertEqual(t.end(), 0)


if __name__ == "__main__":
    unittest.main()
