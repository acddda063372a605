"""Reads message catalogs: the text format of gettext (`.po`), converted to the binary one (`.mo`) in memory."""

import re
import struct

_MAGIC = 0x950412DE
_HEADER_BYTES = 28
_CONTEXT_END, _PLURAL = "\x04", "\0"
_LINE = re.compile(r'(?:(msgctxt|msgid_plural|msgid|msgstr(?:\[\d+\])?)\s+)?"((?:[^"\\]|\\.)*)"\s*')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def parse_po(text: str) -> dict[str, str]:
    """Return the translated messages of a catalog by id, both as in the binary format.

    Fuzzy, obsolete and untranslated messages are left out. Raise `ValueError` for a line that is not part of a message.
    """
    messages: dict[str, str] = {}
    fields: dict[str, str] = {}
    key, is_fuzzy = "", False

    def add() -> None:
        strings = [value for name, value in fields.items() if name.startswith("msgstr")]
        if "msgid" in fields and not is_fuzzy and all(strings):
            context = fields["msgctxt"] + _CONTEXT_END if "msgctxt" in fields else ""
            plural = _PLURAL + fields["msgid_plural"] if "msgid_plural" in fields else ""
            messages[context + fields["msgid"] + plural] = _PLURAL.join(strings)

    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            if fields:
                add()
                fields, key, is_fuzzy = {}, "", False
            is_fuzzy = is_fuzzy or (line.startswith("#,") and "fuzzy" in line)
            continue
        match = _LINE.fullmatch(line)
        if match is None or not (match[1] or key):
            raise ValueError(f"line {number} is not part of a message")
        key = match[1] or key
        value = _ESCAPE.sub(lambda escape: _ESCAPES.get(escape[1], escape[1]), match[2])
        fields[key] = fields.get(key, "") + value
    add()
    return messages


def to_mo(messages: dict[str, str]) -> bytes:
    """Return messages in the binary format of gettext."""
    encoded = sorted((key.encode(), value.encode()) for key, value in messages.items())
    count = len(encoded)
    ids_at = _HEADER_BYTES
    strings_at = ids_at + 8 * count
    position = strings_at + 8 * count
    tables, data = b"", b""
    for texts in zip(*encoded, strict=True):
        for text in texts:
            tables += struct.pack("<II", len(text), position)
            data += text + b"\0"
            position += len(text) + 1
    return struct.pack("<7I", _MAGIC, 0, count, ids_at, strings_at, 0, strings_at) + tables + data
