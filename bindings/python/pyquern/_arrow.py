"""Texts of anything that has __arrow_c_stream__ (pyarrow, polars, DuckDB, …), by Arrow's C stream interface and numpy alone.

https://arrow.apache.org/docs/format/CStreamInterface.html, CDataInterface.html. A column of strings (utf8, large_utf8, string_view) or a
dictionary of them is read where it lies; nothing of it is copied but the texts themselves.
"""
import ctypes as c

import numpy as np



class Schema(c.Structure):
    pass


Schema._fields_ = [("format", c.c_char_p), ("name", c.c_char_p), ("metadata", c.c_void_p), ("flags", c.c_int64), ("n_children", c.c_int64),
                   ("children", c.POINTER(c.POINTER(Schema))), ("dictionary", c.POINTER(Schema)),
                   ("release", c.CFUNCTYPE(None, c.POINTER(Schema))), ("private_data", c.c_void_p)]


class Array(c.Structure):
    pass


Array._fields_ = [("length", c.c_int64), ("null_count", c.c_int64), ("offset", c.c_int64), ("n_buffers", c.c_int64), ("n_children", c.c_int64),
                  ("buffers", c.POINTER(c.c_void_p)), ("children", c.POINTER(c.POINTER(Array))), ("dictionary", c.POINTER(Array)),
                  ("release", c.CFUNCTYPE(None, c.POINTER(Array))), ("private_data", c.c_void_p)]


class Stream(c.Structure):
    pass


Stream._fields_ = [("get_schema", c.CFUNCTYPE(c.c_int, c.POINTER(Stream), c.POINTER(Schema))),
                   ("get_next", c.CFUNCTYPE(c.c_int, c.POINTER(Stream), c.POINTER(Array))),
                   ("get_last_error", c.CFUNCTYPE(c.c_char_p, c.POINTER(Stream))),
                   ("release", c.CFUNCTYPE(None, c.POINTER(Stream))), ("private_data", c.c_void_p)]

_INDEX = {b"c": np.int8, b"C": np.uint8, b"s": np.int16, b"S": np.uint16, b"i": np.int32, b"I": np.uint32, b"l": np.int64, b"L": np.uint64}
_NAMES = {b"U": "large_utf8", b"u": "utf8", b"vu": "string_view"}


def _released(structure):
    if structure.release:
        structure.release(c.byref(structure))


def _values(address, dtype, n):
    if n == 0 or not address:
        return np.empty(0, dtype)
    return np.frombuffer((c.c_char * (n * np.dtype(dtype).itemsize)).from_address(address), dtype)


def _valid(array, offset, n):
    """Which of n rows are no nulls; None: all."""
    bits = array.buffers[0] if array.n_buffers else None
    if not bits or array.null_count == 0:
        return None
    return np.unpackbits(_values(bits, np.uint8, (offset + n + 7) // 8), bitorder="little")[offset:offset + n].astype(bool)


def _strings(format, array, offset, n):
    """n strings from row `offset` on; nulls are None."""
    if format == b"vu":
        return _views(array, offset, n)
    ends = _values(array.buffers[1], np.int64 if format == b"U" else np.int32, offset + n + 1)[offset:].tolist() if n else [0]
    data = bytes((c.c_char * (ends[-1] - ends[0])).from_address(array.buffers[2] + ends[0])) if n and ends[-1] > ends[0] else b""
    first = ends[0]
    valid = _valid(array, offset, n)
    rows = (data[a - first:b - first] for a, b in zip(ends, ends[1:]))
    if valid is None:
        return [row.decode("utf-8", "replace") for row in rows]
    return [row.decode("utf-8", "replace") if ok else None for row, ok in zip(rows, valid)]


def _views(array, offset, n):
    """string_view: 16 bytes each, the text itself where it has 12 bytes or fewer."""
    out = []
    valid = _valid(array, offset, n)
    views = _values(array.buffers[1], np.dtype([("size", "<i4"), ("rest", "V12")]), offset + n)[offset:]
    for i in range(n):
        if valid is not None and not valid[i]:
            out.append(None)
            continue
        size, rest = int(views["size"][i]), views["rest"][i].tobytes()
        if size > 12:
            buffer, at = np.frombuffer(rest, "<i4", 2, 4)
            rest = c.string_at(array.buffers[2 + int(buffer)] + int(at), size)
        out.append(rest[:size].decode("utf-8", "replace"))
    return out


def _column(schema, array, offset, n):
    if not schema.dictionary:
        return _strings(schema.format, array, offset, n)
    table = array.dictionary.contents
    words = _strings(schema.dictionary.contents.format, table, table.offset, table.length)
    index = _values(array.buffers[1], _INDEX[schema.format], offset + n)[offset:].tolist()
    valid = _valid(array, offset, n)
    return [words[i] if valid is None or valid[k] else None for k, i in enumerate(index)]


def _holds_strings(schema):
    if schema.dictionary:
        return schema.format in _INDEX and schema.dictionary.contents.format in _NAMES
    return schema.format in _NAMES


def _choose(schema, column):
    """The number of a column of strings in a struct of columns; None where the stream is of strings themselves."""
    if schema.format != b"+s":
        if not _holds_strings(schema):
            raise TypeError(f"a stream of strings or of tables is expected, found Arrow's format {schema.format.decode()!r}")
        if column is not None:
            raise ValueError(f"column: the stream has no columns, found {column!r}")
        return None
    children = [schema.children[i].contents for i in range(schema.n_children)]
    names = [(child.name or b"").decode() for child in children]
    if column is None:
        found = [i for i, child in enumerate(children) if _holds_strings(child)]
        if len(found) != 1:
            raise ValueError(f"column: which of {', '.join(names) or 'no columns'} holds the texts? {len(found)} of them are strings")
        return found[0]
    if column not in names:
        raise ValueError(f"column: there is no {column!r} among {', '.join(names)}")
    at = names.index(column)
    if not _holds_strings(children[at]):
        raise TypeError(f"column: {column!r} holds no strings, but Arrow's format {children[at].format.decode()!r}")
    return at


def batches(source, column=None):
    """Lists of the source's texts, one for each of its batches; None for nulls."""
    try:
        capsule = source.__arrow_c_stream__()
    except AttributeError:
        raise TypeError(f"source: expected something with __arrow_c_stream__ (pyarrow, polars, DuckDB), found {type(source).__name__}") from None
    pointer = c.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = c.c_void_p, [c.py_object, c.c_char_p]
    stream = Stream.from_address(pointer(capsule, b"arrow_array_stream"))

    def check(code):
        if code != 0:
            why = stream.get_last_error(c.byref(stream))
            raise OSError(code, "the source's stream failed" + (f": {why.decode('utf-8', 'replace')}" if why else ""))

    schema = Schema()
    try:
        check(stream.get_schema(c.byref(stream), c.byref(schema)))
        at = _choose(schema, column)
        while True:
            array = Array()
            check(stream.get_next(c.byref(stream), c.byref(array)))
            if not array.release:
                return
            try:
                if at is None:
                    yield _column(schema, array, array.offset, array.length)
                else:
                    child = array.children[at].contents
                    rows = _column(schema.children[at].contents, child, array.offset + child.offset, array.length)
                    valid = _valid(array, array.offset, array.length)  # a row that is null as a whole
                    yield rows if valid is None else [row if ok else None for row, ok in zip(rows, valid)]
            finally:
                _released(array)
    finally:
        _released(schema)
        _released(stream)
        del capsule
