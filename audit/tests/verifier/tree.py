"""Sections 2 and 5: the RFC 6962 tree, and checkpoints as C2SP signed notes."""

import hashlib
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from canonical import Lie
from shapes import unbase64, verifier_key

_SIGNATURE = re.compile(r"\u2014 ([^+\s]+) ([A-Za-z0-9+/=]+)\Z")
_SIZE = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z")
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


class Tree:
    """The peaks of the growing tree, and its root at each size that is asked for beforehand."""

    def __init__(self, sizes=()):
        self.size = 0
        self.roots: dict[int, bytes] = {}
        self._wanted = set(sizes)
        self._peaks: list[bytes] = []
        self._keep()

    def append(self, leaf: bytes):
        size = self.size
        while size & 1:
            leaf = hashlib.sha256(b"\x01" + self._peaks.pop() + leaf).digest()
            size >>= 1
        self._peaks.append(leaf)
        self.size += 1
        self._keep()

    def root(self) -> bytes:
        if not self._peaks:
            return hashlib.sha256(b"").digest()
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = hashlib.sha256(b"\x01" + peak + root).digest()
        return root

    def _keep(self):
        if self.size in self._wanted:
            self.roots[self.size] = self.root()


@dataclass
class Checkpoint:
    text: bytes
    origin: str
    size: int
    root: bytes
    signatures: list  # (key name, key id, signature)

    @classmethod
    def read(cls, raw: bytes) -> "Checkpoint":
        try:
            note = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Lie("checkpoint: not UTF-8") from None
        text, blank, lines = note.partition("\n\n")
        if not blank or _CONTROL.search(note) or not lines.endswith("\n"):
            raise Lie("checkpoint: not a signed note")
        signatures = [_signature(line) for line in lines[:-1].split("\n")]
        body = text.split("\n")
        if len(body) != 3:
            raise Lie("checkpoint: not exactly three lines")
        origin, size, root = body[0], body[1], unbase64(body[2])
        if not origin or not _SIZE.match(size) or root is None or len(root) != 32:
            raise Lie("checkpoint: not origin, size and root")
        return cls((text + "\n").encode(), origin, int(size), root, signatures)

    def check_signatures(self, keys: list):
        """At least one by a key in force, and each by such a key is good."""
        in_force = {(name, key_id): key for name, key_id, key in map(verifier_key, keys)}
        found = False
        for name, key_id, signature in self.signatures:
            key = in_force.get((name, key_id))
            if key is None:
                continue  # a witness's, or of a key that is not in force
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(signature, self.text)
            except (InvalidSignature, ValueError):
                raise Lie("checkpoint: a signature by a key in force is bad") from None
            found = True
        if not found:
            raise Lie("checkpoint: no signature by a key in force")

    def check_tree(self, tree: Tree):
        if self.size > tree.size:
            raise Lie(f"checkpoint: its size {self.size} is above the export's {tree.size}")
        if self.root != tree.roots[self.size]:
            raise Lie(f"checkpoint: its root is not this tree's at size {self.size}")


def _signature(line: str):
    match = _SIGNATURE.match(line)
    raw = unbase64(match[2]) if match else None
    if raw is None or len(raw) < 5:
        raise Lie("checkpoint: a line that is no signature")
    return match[1], raw[:4], raw[4:]
