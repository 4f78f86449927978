"""A loaded model, shared by whoever asks it things: freed once, never used after close() or in a forked process."""
import itertools
import json
import os
import threading
import warnings
import weakref

from . import _library as lib


def _free(process, name, pointer):
    if os.getpid() == process:  # a fork has the memory, but not the threads that freeing joins
        lib.get(name, pointer)


class Handle:
    """What one C object is freed by, and whether it may be used."""

    def __init__(self, pointer, free, what):
        self._pointer, self._what, self._process = pointer, what, os.getpid()
        self._end = weakref.finalize(self, _free, self._process, free, pointer)

    def get(self):
        if os.getpid() != self._process:
            raise RuntimeError(f"this {self._what} was made before the process was forked, and its threads are not here: make it in "
                               "the child, or start processes by multiprocessing's \"spawn\"")
        if not self._end.alive:
            raise ValueError(f"this {self._what} is closed")
        return self._pointer

    def close(self):
        if os.getpid() == self._process:
            self._end()
        else:
            self._end.detach()


class Loaded:
    """A model and the session that works on it; one call at a time, others wait for the lock without holding the GIL."""

    def __init__(self, path, threads, adapter=None):
        self.path, self.threads = path, threads
        self.adapter_path = None if adapter is None else os.fspath(adapter)
        self.lock = threading.Lock()
        self.model = Handle(lib.made("model_load", os.fsencode(path)), "model_free", "model")
        self._session = None
        self._about = None
        self._adapter = None
        if adapter is not None:
            self._adapter = Handle(lib.made("adapter_load", self.model.get(), os.fsencode(adapter)), "adapter_free", "model")
            notes = itertools.takewhile(bool, (lib.get("adapter_note", self._adapter.get(), i) for i in itertools.count()))
            for note in notes:
                warnings.warn(note.decode(errors="replace"), stacklevel=4)

    def session(self):
        if self._session is None:
            self._session = Handle(lib.made("session_new", self.model.get(), self.threads), "session_free", "model")
        return self._session.get()

    def about(self):
        """What quern knows of it, as a dict."""
        if self._about is None:
            self._about = json.loads(lib.text_made("model_describe", self.model.get()))
        return self._about

    def adapter(self):
        """For options; None without one."""
        return self._adapter.get() if self._adapter else None

    def fingerprint(self):
        if self._adapter:
            return lib.text_made("adapter_fingerprint", self._adapter.get())
        return lib.text_made("model_fingerprint", self.model.get())

    def outputs(self):
        return lib.get("model_outputs", self.model.get())

    def labels(self):
        model = self.model.get()
        return [lib.get("model_label", model, i).decode() for i in range(lib.get("model_labels", model))]

    def close(self):
        with self.lock:
            if self._session:
                self._session.close()
            if self._adapter:
                self._adapter.close()
            self.model.close()
