"""Canonical JSON, base64url, labelled hashes, ids and edits: FORMATS.md 1, as a writer needs them."""

import base64
import copy
import hashlib
import json

ZEROS = "0" * 64


def encode(value):
    """The canonical bytes of a value. Member names are ASCII, so code point order is RFC 8785's."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def b64(raw):
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def labelled(thing, content):
    """H("thing", content)."""
    return hashlib.sha256(f"vitrine/{thing}/v1\n".encode() + content).digest()


def pseudo(label, length=32):
    """Bytes that look random and are the same in every run."""
    return hashlib.shake_256(b"vitrine corpus\n" + label.encode()).digest(length)


def hash_of(label):
    """A hash that no bytes of this ledger have."""
    return pseudo("hash " + label).hex()


def uuid(label):
    """An id: lower-case UUID text (version 7, as the service writes them)."""
    raw = bytearray(pseudo("id " + label, 16))
    raw[6] = 0x70 | raw[6] & 0x0F
    raw[8] = 0x80 | raw[8] & 0x3F
    text = raw.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


# Edits: functions that change one place of an object. A path is written "new.approvers.0.name".


def _walk(value, path):
    *way, last = path.split(".")
    for step in way:
        value = value[int(step) if isinstance(value, list) else step]
    return value, int(last) if isinstance(value, list) else last


def look(value, path):
    """What stands at that place."""
    holder, last = _walk(value, path)
    return holder[last]


def put(path, new):
    """Sets one place, whether it was there or not."""
    def edit(value):
        holder, last = _walk(value, path)
        holder[last] = copy.deepcopy(new)
    return edit


def drop(path):
    """Removes one member or item."""
    def edit(value):
        holder, last = _walk(value, path)
        del holder[last]
    return edit


def change(path, how):
    """Replaces one place by a function of what was there."""
    def edit(value):
        holder, last = _walk(value, path)
        holder[last] = how(holder[last])
    return edit
