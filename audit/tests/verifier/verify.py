#!/usr/bin/env python3
"""Checks a ledger export from FORMATS.md alone.

verify.py DIR [--founded HEX] [--seen FILE]... [--json]
exit 0 valid, 3 self-consistent only, 2 not verified, 1 false
"""

import argparse
import json
import re
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from canonical import Lie, Unknown, parse
from ledger import Ledger
from shapes import Shape, TEXT
from tree import Checkpoint, Tree, leaf_hash

VALID, FALSE, NOT_VERIFIED, SELF_CONSISTENT = 0, 1, 2, 3
FILES = {"entries.jsonl", "checkpoint", "checkpoints.jsonl"}
WORDS = ["valid", "false", "not verified", "self-consistent only"]
NOTE = Shape("note", note=TEXT)


@dataclass
class Verdict:
    exit: int = VALID
    seq: int | None = None
    lie: str = ""
    size: int = 0
    root: str = ""
    warnings: list = field(default_factory=list)


def verify(directory, founded: str | None = None, seen=()) -> Verdict:
    """Judges an export; `seen` are files with checkpoints that were kept elsewhere."""
    verdict = Verdict()
    try:
        _judge(Path(directory), founded, seen, verdict)
    except Lie as lie:
        verdict.exit, verdict.lie = FALSE, str(lie)
    except Unknown as unknown:
        verdict.exit, verdict.lie = NOT_VERIFIED, str(unknown)
    except OSError as error:
        verdict.exit, verdict.lie = NOT_VERIFIED, f"unreadable: {error}"
    if verdict.exit == VALID and founded is None:
        verdict.exit = SELF_CONSISTENT
        verdict.lie = "no founding fingerprint was given"
    return verdict


def _judge(directory: Path, founded: str | None, seen, verdict: Verdict):
    files = {path.name for path in directory.iterdir()}
    if files != FILES:
        raise Lie(f"export: missing or extra files: {' '.join(sorted(map(ascii, files ^ FILES)))}")
    last = _read(Checkpoint.read, (directory / "checkpoint").read_bytes())
    with (directory / "checkpoints.jsonl").open("rb") as lines:
        earlier = [_read(_earlier, line) for line in lines]
    kept = [_kept(Path(path)) for path in seen]

    ledger = Ledger(founded)
    tree = Tree(c.size for c in [last, *earlier, *kept] if isinstance(c, Checkpoint))
    error = _entries(directory / "entries.jsonl", ledger, tree, verdict)
    verdict.size, verdict.root = tree.size, tree.root().hex()
    verdict.warnings = ledger.state.warnings
    if isinstance(error, Lie):
        raise error
    seq, verdict.seq = verdict.seq, None  # what follows is no entry's lie
    if error:
        _roots(tree, last, earlier)
    else:
        _checkpoints(ledger, tree, last, earlier)
    _seen(ledger, tree, kept)
    if error:
        verdict.seq = seq
        raise error


def _entries(path: Path, ledger: Ledger, tree: Tree, verdict: Verdict) -> Lie | Unknown | None:
    """Judges until the first that is false or unknown, and hashes all."""
    error = None
    with path.open("rb") as lines:
        for seq, line in enumerate(lines):
            entry = line.removesuffix(b"\n")
            tree.append(leaf_hash(entry))
            if error is not None:
                continue
            try:
                ledger.judge(entry)
            except (Lie, Unknown) as first:
                error, verdict.seq = first, seq
    if tree.size == 0:
        return Lie("export: no entries")
    if not isinstance(error, Lie) and entry == line:
        verdict.seq = None  # the entry is what it should be, the file is not
        return Lie("export: no LF after the last entry")
    return error


def _earlier(line: bytes) -> Checkpoint:
    if not line.endswith(b"\n"):
        raise Lie("checkpoints.jsonl: no LF after the last line")
    value = parse(line[:-1], lf_in="note")
    NOTE.unknown(value, "checkpoints.jsonl")
    NOTE.check(value, "checkpoints.jsonl")
    return Checkpoint.read(value["note"].encode())


def _kept(path: Path):
    try:
        return _read(Checkpoint.read, path.read_bytes())
    except OSError as complaint:
        return complaint


def _read(reader, raw: bytes):
    """What the reader makes of it, or its complaint, which is heard when the entries are judged."""
    try:
        return reader(raw)
    except (Lie, Unknown) as complaint:
        return complaint


def _checkpoints(ledger: Ledger, tree: Tree, last, earlier: list):
    size, state = 0, ledger.state
    for checkpoint in [*earlier, last]:
        if isinstance(checkpoint, Exception):
            raise checkpoint
        if checkpoint.origin != state.name:
            raise Lie("checkpoint: its origin is not the founded name")
        if checkpoint.size <= size:
            raise Lie("checkpoints.jsonl: sizes that do not grow, or not earlier ones")
        size = checkpoint.size
        checkpoint.check_tree(tree)
        checkpoint.check_signatures([keys for above, keys in state.checkpoint_keys if size > above][-1])
    if last.size != tree.size:
        raise Lie(f"checkpoint: covers {last.size} of {tree.size} entries")
    sizes = {checkpoint.size for checkpoint in [*earlier, last]}
    for above, _ in state.checkpoint_keys[1:]:
        if above not in sizes:
            raise Lie(f"checkpoint keys: changed at seq {above - 1}, but no checkpoint of size {above}")


def _roots(tree: Tree, last, earlier: list):
    """After an unknown entry: nothing but the roots."""
    for checkpoint in [*earlier, last]:
        if isinstance(checkpoint, Lie):
            raise checkpoint
        if isinstance(checkpoint, Checkpoint):
            checkpoint.check_tree(tree)
    if last.size != tree.size:
        raise Lie(f"checkpoint: covers {last.size} of {tree.size} entries")


def _seen(ledger: Ledger, tree: Tree, kept: list):
    for checkpoint in kept:
        if isinstance(checkpoint, Exception):
            raise Unknown(f"unreadable: --seen: {checkpoint}")
        if ledger.state.name and checkpoint.origin != ledger.state.name:
            raise Lie("--seen: its origin is not the founded name")
        try:
            checkpoint.check_tree(tree)
        except Lie as lie:
            raise Lie(f"--seen: {lie}") from None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("directory", metavar="DIR")
    parser.add_argument("--founded", metavar="HEX", type=_fingerprint)
    parser.add_argument("--seen", metavar="FILE", action="append", default=[])
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    verdict = verify(asked.directory, asked.founded, asked.seen)
    if asked.json:
        print(json.dumps(asdict(verdict), separators=(",", ":")))
        return verdict.exit
    where = "" if verdict.seq is None else f"entry {verdict.seq}: "
    said = f": {where}{verdict.lie}" if verdict.lie else ""
    print(f"{WORDS[verdict.exit]}{said}")
    print(f"size {verdict.size}, root {verdict.root}")
    for warning in verdict.warnings:
        print(f"warning: {warning}")
    return verdict.exit


def _fingerprint(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError("not 64 lower-case hex digits")
    return text


if __name__ == "__main__":
    sys.exit(main())
