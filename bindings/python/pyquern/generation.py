"""Decoders: text that follows a text, and chat."""
from __future__ import annotations

import ctypes
import json
import os
import secrets
import threading
from typing import Any, AsyncIterator, Dict, Iterator, List, Optional, Sequence, Union

import numpy as np

from . import _library as lib
from ._handle import Handle
from .model import Model

_FINISH = {1: "end", 2: "length", 3: "stop"}
_SAMPLING = ("temperature", "top_k", "top_p", "min_p", "typical_p", "repetition_penalty", "frequency_penalty", "presence_penalty")
Conversation = Union[str, Sequence[Dict[str, Any]]]


class Generator(Model):
    """A decoder: generate() and chat(). One sequence at a time: a second caller waits until the first is done.

    context: tokens of prompt and answer together (0: the model's, but at most 4096). kv_type: "f16", "i8" or "f32". adapter: as
    Model has it.
    """

    def __init__(self, path, *, type: Optional[str] = None, offline: bool = False, threads: int = 0, context: int = 0,
                 kv_type: str = "f16", adapter: Union[str, os.PathLike, None] = None) -> None:
        super().__init__(path, type=type, offline=offline, threads=threads, adapter=adapter)
        if not self._loaded.outputs() & lib.TEXT:
            raise lib.Unsupported(f"{self.path}: this model makes no text; pyquern.Model has its vectors")
        options = lib.get("generator_options_default")
        options.n_threads, options.context, options.kv_type = threads, context, kv_type.encode()
        self._reader: Optional[int] = None  # the thread that reads an answer
        self.last_seed: Optional[int] = None
        self.last_finish: Optional[str] = None
        self._settings = {"threads": threads, "context": context, "kv_type": kv_type, "adapter": self._loaded.adapter_path}
        self._generator = Handle(lib.made("generator_new", self._loaded.model.get(), ctypes.byref(options)), "generator_free", "model")

    def stream(self, prompt: str, *, max_tokens: int = -1, seed: Optional[int] = None, stop: Sequence[str] = (),
               grammar: Optional[str] = None, json_schema: Union[dict, str, None] = None, **sampling: float) -> Iterator[str]:
        """What follows the prompt, part by part. sampling: temperature (0: the likeliest), top_k, top_p, min_p, typical_p,
        repetition_penalty, frequency_penalty, presence_penalty; the model's own defaults otherwise. grammar: GBNF. The seed of the
        last answer is `last_seed`, why it ended `last_finish`: end, length or stop."""
        return self._run(np.array(self.tokenize(prompt), np.int32), max_tokens, seed, stop, grammar, json_schema, sampling)

    def generate(self, prompt: str, **options) -> str:
        """stream()'s parts together."""
        return "".join(self.stream(prompt, **options))

    def chat_stream(self, conversation: Conversation, **options) -> Iterator[str]:
        """The answer to a conversation by the model's chat template, part by part; options as in stream(), and `tools`.
        conversation: [{"role", "content"}, …], or a str: the user's only message."""
        messages = [{"role": "user", "content": conversation}] if isinstance(conversation, str) else list(conversation)
        asked = {"messages": messages, "add_generation_prompt": True}
        if (tools := options.pop("tools", None)) is not None:
            asked["tools"] = tools
        text = json.dumps(asked).encode()
        ids, n = ctypes.c_void_p(), ctypes.c_size_t()
        lib.call("chat_tokens", self._loaded.model.get(), text, len(text), ctypes.byref(ids), ctypes.byref(n))
        try:
            prompt = np.ctypeslib.as_array(ctypes.cast(ids, ctypes.POINTER(ctypes.c_int32)), (n.value,)).copy()
        finally:
            lib.get("ids_free", ids)
        return self._run(prompt, options.pop("max_tokens", -1), options.pop("seed", None), options.pop("stop", ()),
                         options.pop("grammar", None), options.pop("json_schema", None), options)

    def chat(self, conversation: Conversation, **options):
        """The answer; with a json_schema what it says, as Python has it."""
        text = "".join(self.chat_stream(conversation, **options))
        if options.get("json_schema") is None:
            return text
        if self.last_finish == "length":
            raise ValueError(f"the answer was cut off before its JSON was whole: raise max_tokens or context (it began {text[:60]!r})")
        return json.loads(text)

    async def achat_stream(self, conversation: Conversation, **options) -> AsyncIterator[str]:
        """chat_stream() for asyncio: each part is waited for on a thread."""
        import asyncio
        parts = self.chat_stream(conversation, **options)
        end = object()
        loop = asyncio.get_running_loop()
        try:
            while (part := await loop.run_in_executor(None, next, parts, end)) is not end:
                yield part
        finally:
            parts.close()

    def _generation_options(self, max_tokens, seed, stop, grammar, json_schema, sampling):
        options = lib.get("model_generation_options", self._loaded.model.get())
        for name, value in sampling.items():
            if name not in _SAMPLING:
                raise TypeError(f"unknown option {name!r}; sampling options are {', '.join(_SAMPLING)}")
            setattr(options, name, value)
        options.max_tokens, options.adapter = max_tokens, self._loaded.adapter()
        self.last_seed = options.seed = secrets.randbits(63) if seed is None else seed
        options.grammar = None if grammar is None else grammar.encode()
        if json_schema is not None:
            options.json_schema = (json_schema if isinstance(json_schema, str) else json.dumps(json_schema)).encode()
        stops = [text.encode() for text in ([stop] if isinstance(stop, str) else stop)]
        options.stop, options.n_stop = (ctypes.c_char_p * len(stops))(*stops), len(stops)
        return options

    def _run(self, ids, max_tokens, seed, stop, grammar, json_schema, sampling) -> Iterator[str]:
        options = self._generation_options(max_tokens, seed, stop, grammar, json_schema, sampling)
        return self._steps(ids, options)

    def _steps(self, ids, options) -> Iterator[str]:
        parts: List[str] = []
        failed: List[Exception] = []
        ended = False

        @lib.ON_TOKEN
        def on_token(_, event):
            nonlocal ended
            e = event.contents
            if e.finish == 4:
                failed.append(lib.error(e.status, e.error.decode("utf-8", "replace")))
            elif e.length:
                parts.append(ctypes.string_at(e.text, e.length).decode("utf-8", "replace"))
            if e.finish:
                ended, self.last_finish = True, _FINISH.get(e.finish)
            return 0

        if self._loaded.lock.locked() and self._reader == threading.get_ident():
            raise RuntimeError("another answer of this generator is being read on this thread: read it to its end, or close() it")
        with self._loaded.lock:
            self._reader = threading.get_ident()
            generator, sequence, running = self._generator.get(), ctypes.c_int64(), ctypes.c_size_t()
            lib.call("generator_add", generator, ids.ctypes.data, len(ids), ctypes.byref(options), ctypes.byref(sequence))
            try:
                while not ended:
                    lib.call("generator_step", generator, on_token, None, ctypes.byref(running))
                    if failed:
                        raise failed[0]
                    if parts:
                        yield "".join(parts)
                        parts.clear()
            finally:
                self._reader = None
                if not ended:
                    lib.call("generator_cancel", generator, sequence)

    def close(self) -> None:
        with self._loaded.lock:
            self._generator.close()
        super().close()

    def __reduce__(self):
        from .model import _restore
        return _restore, (self.__class__, self.path, self.fingerprint, self._settings)
