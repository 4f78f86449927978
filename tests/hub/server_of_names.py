"""quern serve over models by name, for a test with caches of its own."""
import contextlib
import os
import re
import signal
import sys

sys.path.append(os.path.join(os.environ["QUERN_TEST_DIR"], "server"))
import server  # noqa: E402

server.NOTICE = re.compile(server.NOTICE.pattern + r"|quern: (note: )?\S+: ")


@contextlib.contextmanager
def serve(case, *args):
    running = server.Server(args=args, env=case.env)
    try:
        yield running
    finally:
        running.stop()


def reload(running):
    """SIGHUP; returns when it says how that went."""
    before = len(running.lines)
    running.signal(signal.SIGHUP)
    running.wait_for(lambda: running.process.poll() is not None or any("reloaded" in line for line in running.lines[before:]), "a reload")
    assert running.process.poll() is None, running.lines[before:]
    return running.lines[before:]
