"""Section 1: canonical JSON, binary, and labelled hashes."""

import base64
import hashlib
import re
import unicodedata

LARGEST = 2**53 - 1
DEEPEST = 8
ENTRY_LIMIT = 64 * 1024

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})(?![0-9])")
_STRING = re.compile(r'"([^"\\]*(?:\\["\\][^"\\]*)*)"')  # no other escape is ever needed
_STRING_LF = re.compile(r'"([^"\\]*(?:\\["\\n][^"\\]*)*)"')
_ESCAPE = re.compile(r'\\(["\\])')
_ESCAPE_LF = re.compile(r'\\(["\\n])')
_REFUSED = re.compile("[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*\Z")


class Lie(Exception):
    """Something false: exit 1."""


class Unknown(Exception):
    """Something this version does not know: exit 2."""


def H(thing: str, content: bytes) -> bytes:
    return hashlib.sha256(b"vitrine/%s/v1\n" % thing.encode() + content).digest()


def unbase64url(text: str) -> bytes | None:
    """The bytes, or None when it is not base64url without padding and with zero trailing bits."""
    if not _BASE64URL.match(text) or len(text) % 4 == 1:
        return None
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return raw if base64url(raw) == text else None


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def encode(value) -> str:
    """The one way to write a value."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if isinstance(value, list):
        return "[" + ",".join(map(encode, value)) + "]"
    return "{" + ",".join(encode(name) + ":" + encode(value[name]) for name in sorted(value)) + "}"


def parse(raw: bytes, lf_in: str | None = None):
    """The value of canonical bytes, else a Lie. LF stands only in the string member `lf_in`."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Lie("not UTF-8") from None
    value, end = _Parser(text, lf_in).value(0, 0, None)
    if end != len(text):
        raise Lie("canonical JSON: bytes after the value")
    if encode(value) != text:
        raise Lie("canonical JSON: written differently (members out of order?)")
    return value


class _Parser:
    def __init__(self, text: str, lf_in: str | None):
        self.text = text
        self.lf_in = lf_in

    def value(self, at: int, depth: int, member: str | None):
        first = self.text[at : at + 1]
        if first == '"':
            return self.string(at, member)
        if first == "{" or first == "[":
            if depth == DEEPEST:
                raise Lie(f"canonical JSON: more than {DEEPEST} containers deep")
            return self.object(at + 1, depth + 1) if first == "{" else self.array(at + 1, depth + 1)
        if self.text.startswith("true", at):
            return True, at + 4
        if self.text.startswith("false", at):
            return False, at + 5
        return self.integer(at)

    def integer(self, at: int):
        match = _INTEGER.match(self.text, at)
        if not match or match[0] == "-0" or self.text[match.end() : match.end() + 1] in (".", "e", "E"):
            raise Lie(f"canonical JSON: no value at character {at}")
        number = int(match[0])
        if abs(number) > LARGEST:
            raise Lie("canonical JSON: an integer beyond 2^53-1")
        return number, match.end()

    def string(self, at: int, member: str | None = None):
        lf = member is not None and member == self.lf_in
        match = (_STRING_LF if lf else _STRING).match(self.text, at)
        if not match:
            raise Lie(f"canonical JSON: no string at character {at}, or a needless escape in it")
        string = match[1]
        if lf:
            string = _ESCAPE_LF.sub(lambda escape: escape[1].replace("n", "\n"), string)
        elif "\\" in string:
            string = _ESCAPE.sub(r"\1", string)
        if _REFUSED.search(string.replace("\n", "") if lf else string):
            raise Lie("canonical JSON: a string with a control character or a bidirectional one")
        if not unicodedata.is_normalized("NFC", string):
            raise Lie("canonical JSON: a string that is not NFC")
        return string, match.end()

    def array(self, at: int, depth: int):
        items: list = []
        if self.text.startswith("]", at):
            return items, at + 1
        while True:
            item, at = self.value(at, depth, None)
            items.append(item)
            if self.text.startswith("]", at):
                return items, at + 1
            at = self.expect(",", at)

    def object(self, at: int, depth: int):
        members: dict = {}
        if self.text.startswith("}", at):
            return members, at + 1
        while True:
            name, at = self.string(at)
            if not _NAME.match(name):
                raise Lie("canonical JSON: a member name that is not [a-z][a-z0-9_]*")
            if name in members:
                raise Lie(f"canonical JSON: {name} twice")
            at = self.expect(":", at)
            members[name], at = self.value(at, depth, name)
            if self.text.startswith("}", at):
                return members, at + 1
            at = self.expect(",", at)

    def expect(self, char: str, at: int) -> int:
        if not self.text.startswith(char, at):
            raise Lie(f"canonical JSON: no {char} at character {at}")
        return at + 1
