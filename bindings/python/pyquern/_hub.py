"""From a name to a file: the library finds, downloads and converts; this shows how far it is."""
import ctypes
import os
import sys
import time

from . import _library as lib

_PHASES = ("asking the Hub", "waiting", "checking", "downloading", "converting")


def _is_true(name):
    """As huggingface_hub reads its switches."""
    return os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE")


def find(name, type, offline, threads):
    """The path that `name` stands for, which may be a path already. Ctrl-C ends a download within a moment; it goes on from there
    the next time."""
    if os.path.exists(name):
        return name
    shown = sys.stderr is not None and sys.stderr.isatty() and not _is_true("HF_HUB_DISABLE_PROGRESS_BARS")
    raised, said = [], [0.0]

    @lib.ON_HUB
    def progress(_, phase, what, done, total):
        try:  # an interrupt is raised here, in the middle of the library's work
            now = time.monotonic()
            if shown and now - said[0] >= 0.2:
                said[0] = now
                share = f" {100 * done / total:.0f} %" if total > 0 else ""
                print(f"\r\x1b[K{name}: {_PHASES[phase] if phase < len(_PHASES) else ''}{share}", end="", file=sys.stderr, flush=True)
            return 0
        except BaseException as e:
            raised.append(e)
            return 1

    options = lib.get("hub_options_default")
    options.type, options.offline, options.n_threads = None if type is None else type.encode(), int(offline), threads
    options.progress = ctypes.cast(progress, ctypes.c_void_p)
    try:
        return lib.text_made("hub_model", os.fsencode(name), ctypes.byref(options))
    except lib.QuernError:
        if raised:
            raise raised[0] from None
        raise
    finally:
        if said[0]:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
