"""The list of cases, and what one of them writes."""

import json

from .canonical import encode
from .ledger import Ledger

CASES = {}


def case(build):
    """A function without arguments that gives a Ledger or an Export. Its docstring says the lie and quotes the rule."""
    family = build.__module__.rsplit(".", 1)[-1]
    add(f"{family}-{build.__name__.replace('_', '-')}", build.__doc__, build)
    return build


def add(name, lie, build):
    """The same for cases made from a table."""
    if name in CASES or not lie:
        raise ValueError(f"case {name}: named twice, or without a description")
    CASES[name] = (" ".join(lie.split()), build)


class Export:
    """The files of one export, and the verdict that is due."""

    def __init__(self, ledger):
        if ledger.verdict and not ledger.quiet and ledger.verdict[1] == ledger.last:
            ledger.roll_kek()  # honest again after the lie
        self.ledger = ledger
        self.exit, self.seq, self.also = ledger.verdict or (0, None, [])
        self.founded = ledger.founded
        self.seen = {}
        self.files = {"entries.jsonl": b"".join(line + b"\n" for line in ledger.entries),
                      "checkpoint": ledger.note().encode(),
                      "checkpoints.jsonl": lines_of(note for _, note in ledger.earlier)}
        self.forged_files = ledger.unchecked  # the lie is in hashes or signatures, which the self-check must not expect

    def false(self):
        """The lie is in a file or checkpoint, not in an entry."""
        self.exit, self.seq, self.also, self.forged_files = 1, None, [], True
        return self

    def with_founded(self, founded):
        """Judged with that founding fingerprint, or none."""
        self.founded = founded
        if founded is None and self.exit == 0:
            self.exit = 3
        return self

    def with_seen(self, note, name="seen-1.txt"):
        """Judged with a checkpoint kept elsewhere."""
        self.seen[name] = note.encode() if isinstance(note, str) else note
        return self

    def write(self, folder, lie):
        (folder / "export").mkdir(parents=True)
        for name, content in self.files.items():
            (folder / "export" / name).write_bytes(content)
        for name, content in self.seen.items():
            if content is not None:
                (folder / name).write_bytes(content)
        expect = {"exit": self.exit, "founded": self.founded, "lie": lie, "seen": list(self.seen), "seq": self.seq}
        if self.also:
            expect["also"] = self.also
        (folder / "expect.json").write_text(json.dumps(expect, indent=1, ensure_ascii=False) + "\n")


def export_of(result):
    return Export(result) if isinstance(result, Ledger) else result


def lines_of(notes):
    """checkpoints.jsonl: canonical JSON, except that LF stands in the string as the note's escape."""
    return b"".join(encode({"note": note}) + b"\n" for note in notes)
