"""A process for every peer: two OpenMP runtimes in one process can halve each other's speed."""
from __future__ import annotations

import multiprocessing
import os
from multiprocessing.connection import Connection

from model import NotMeasured

ATTRIBUTES = ('name', 'int8', 'tuned', 'single_vectors', 'batch', 'isa', 'float_weights')


def reason_of(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    text = lines[0][:200] if lines else ''
    return text if isinstance(error, NotMeasured) else f'{type(error).__name__}: {text}'


def serve(pipe: Connection, make, arguments: tuple) -> None:
    """The child: makes the peer, then answers (method, arguments) with ('ok', result) or ('failed', why)."""
    os.dup2(2, 1)  # some peers' tools print; standard output is for tables
    try:
        peer = make(*arguments)
        pipe.send(('ok', {name: getattr(peer, name) for name in ATTRIBUTES}))
        while True:
            name, arguments = pipe.recv()
            try:
                answer = ('ok', getattr(peer, name)(*arguments))
            except Exception as error:
                answer = ('failed', reason_of(error))
            pipe.send(answer)
    except EOFError:
        pass
    except BaseException as error:
        pipe.send(('failed', reason_of(error)))


class Remote:
    """A peer in its own process. Its methods are called by name; times are taken over there."""

    def __init__(self, make, setting, *arguments):
        self.setting = setting
        context = multiprocessing.get_context('spawn')
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, make, (setting, *arguments)), daemon=True)
        self.process.start()
        theirs.close()
        for name, value in self.answer().items():
            setattr(self, name, value)

    def call(self, name: str, *arguments):
        self.pipe.send((name, arguments))
        return self.answer()

    def answer(self):
        try:
            kind, value = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(5)
            raise NotMeasured(f'its process ended with code {self.process.exitcode}') from None
        if kind != 'ok':
            raise NotMeasured(value)
        return value

    def end(self) -> None:
        """Gives its memory back."""
        self.pipe.close()
        self.process.join()
