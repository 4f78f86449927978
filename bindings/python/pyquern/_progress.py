"""A progress bar: tqdm's where it is installed, else a line on stderr."""
import sys
import time


class Progress:
    def __init__(self, total, shown):
        self._bar, self._line = None, False
        if not shown:
            return
        try:
            from tqdm.auto import tqdm
            self._bar = tqdm(total=total, unit="text")
        except ImportError:
            self._line, self._total, self._done = True, total, 0
            self._begun = self._said = time.monotonic()

    def __call__(self, n):
        if self._bar:
            self._bar.update(n)
        elif self._line:
            self._done += n
            now = time.monotonic()
            if now - self._said >= 0.5 or self._done == self._total:
                self._said = now
                rate = self._done / max(now - self._begun, 1e-3)
                print(f"\r{self._done}/{self._total} texts, {rate:.0f} a second", end="", file=sys.stderr, flush=True)

    def close(self):
        if self._bar:
            self._bar.close()
        elif self._line:
            print(file=sys.stderr)
