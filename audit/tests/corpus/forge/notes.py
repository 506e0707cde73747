"""Merkle tree (RFC 6962), C2SP signed notes and the keys that sign checkpoints (FORMATS.md 2 and 5)."""

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .canonical import pseudo

DASH = "\u2014"


def leaf_of(entry):
    """SHA-256(0x00 || entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def root_of(leaves):
    """The tree's root, by folding perfect subtrees from the left."""
    stack = []
    for leaf in leaves:
        size = 1
        while stack and stack[-1][0] == size:
            leaf = hashlib.sha256(b"\x01" + stack.pop()[1] + leaf).digest()
            size *= 2
        stack.append((size, leaf))
    if not stack:
        return hashlib.sha256(b"").digest()
    root = stack.pop()[1]
    while stack:
        root = hashlib.sha256(b"\x01" + stack.pop()[1] + root).digest()
    return root


class NoteKey:
    """An Ed25519 key that signs notes under a name."""

    def __init__(self, label, name, kind=0x01):
        self.name, self.kind = name, kind
        self._private = ed25519.Ed25519PrivateKey.from_private_bytes(pseudo("Ed25519 " + label))
        self.public = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.id = hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + self.public).digest()[:4]

    def __deepcopy__(self, _memo):
        return self

    @property
    def verifier(self):
        """`<name>+<key id>+<base64(kind || public key)>`."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(bytes([self.kind]) + self.public).decode()}"

    def line(self, body, spoil=None):
        """One signature line; `spoil` changes the 64 signature bytes."""
        signature = self._private.sign(body.encode())
        signature = spoil(signature) if spoil else signature
        return f"{DASH} {self.name} {base64.b64encode(self.id + signature).decode()}\n"


def body_of(origin, size, root):
    """The three lines that are signed."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def note_of(body, keys):
    """Body, blank line, a signature by each key."""
    return body + "\n" + "".join(key.line(body) for key in keys)
