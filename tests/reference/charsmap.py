"""Builds the charsmap of a Precompiled normalizer: a double-array trie of UTF-8 keys and a blob of replacements."""
import struct

LEAF, VALUE = 0x100, 0x80000000


def build(rules):
    """rules: {key: replacement}, both strings; keys hold no NUL. Returns the bytes of a precompiled_charsmap."""
    blob, values = bytearray(), {}
    for replacement in rules.values():
        if replacement not in values:
            values[replacement] = len(blob)
            blob += replacement.encode() + b"\0"
    root = {}
    for key, replacement in rules.items():
        node = root
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[0] = values[replacement]
    units = [0] * 256
    singles = []  # slots of a block that only nodes with the single child 0 take

    def new_block():
        units.extend([0] * 256)
        return len(units) - 256

    def place(at, label, node):
        """Puts a node whose own unit is units[at], reached by label."""
        if list(node) == [0]:
            if not singles:
                base = new_block()
                singles.extend(range(base + 255, base - 1, -1))
            base = singles.pop()
        else:
            base = new_block()
        offset = at ^ base
        assert offset < 1 << 21
        units[at] = label | offset << 10 | (LEAF if 0 in node else 0)
        for byte, child in node.items():
            if byte == 0:
                units[base] = child | VALUE
            else:
                place(base ^ byte, byte, child)

    place(0, 0, root)
    trie = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(trie)) + trie + bytes(blob)
