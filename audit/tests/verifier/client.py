"""Section 4: `client_data_json` is one UTF-8 JSON object without duplicate members. Read without recursion: the page sets no depth."""

import json
import re

from canonical import Lie

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)  # what is in it, json says
_OTHER = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LONE = re.compile("[\ud800-\udfff]")
_CLOSED_BY = {"{": "}", "[": "]"}
OTHER = object()  # a value that no rule asks about


def read(raw: bytes) -> dict:
    """The object's own members: strings, `false`, or OTHER."""
    try:
        scanner = _Scanner(raw.decode("utf-8"))
        members = scanner.document()
        if scanner.at != len(scanner.text):
            raise ValueError
    except ValueError:
        raise Lie(
            "assertion: client_data_json is not one UTF-8 JSON object without duplicate members"
        ) from None
    return members


class _Scanner:
    def __init__(self, text: str):
        self.text = text
        self.at = 0

    def space(self):
        self.at = _SPACE.match(self.text, self.at).end()

    def eat(self, char: str) -> bool:
        """Whether that character comes next, after space; then it is passed."""
        self.space()
        found = self.text.startswith(char, self.at)
        self.at += found
        return found

    def want(self, char: str):
        if not self.eat(char):
            raise ValueError

    def token(self, pattern: re.Pattern) -> str:
        self.space()
        match = pattern.match(self.text, self.at)
        if not match:
            raise ValueError
        self.at = match.end()
        return match[0]

    def string(self) -> str:
        string = json.loads(self.token(_STRING))
        if _LONE.search(string):
            raise ValueError  # half a pair is no Unicode string
        return string

    def document(self) -> dict:
        self.want("{")
        own: dict = {}
        open_: list = [("}", own)]  # what closes each open container, and an object's members
        fresh = True  # just opened: it may close, and its first value follows no comma
        while open_:
            closed_by, members = open_[-1]
            if self.eat(closed_by):
                open_.pop()
                fresh = False
                continue
            if not fresh:
                self.want(",")
            name = None
            if members is not None:
                name = self.string()
                if name in members:
                    raise ValueError
                self.want(":")
            self.space()
            first = self.text[self.at : self.at + 1]
            fresh = first in ("{", "[")
            if fresh:
                self.at += 1
                open_.append((_CLOSED_BY[first], {} if first == "{" else None))
            value = OTHER if fresh else self.scalar(first)
            if members is not None:
                members[name] = value
        self.space()
        return own

    def scalar(self, first: str):
        if first == '"':
            return self.string()
        return False if self.token(_OTHER) == "false" else OTHER
