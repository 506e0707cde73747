"""FORMATS.md 6: the files of an export, `--founded`, `--seen`."""

from ..canonical import hash_of
from ..cases import Export, add, case
from ..notes import body_of, note_of, root_of
from ..requests import Vault
from ..stories import ADA, BEN, CARLA, CY, ROB, approved, asked, opened

FILES = '"a missing or extra file are 1"'
SEEN = ('"A `--seen` checkpoint (kept elsewhere) is consistent when its origin is the founded name, its size is not above the '
        'export\'s, and its root is this tree\'s at that size"')


def _entries(how):
    export = Export(opened())
    export.files["entries.jsonl"] = how(export.files["entries.jsonl"])
    return export.false()


@case
def without_last_lf():
    """The last entry has no LF. "LF after each, the last too" """
    export = _entries(lambda text: text[:-1])
    export.also = [len(export.ledger.entries) - 1]
    return export


@case
def without_entries():
    """entries.jsonl is empty. "`checkpoint` (covers exactly those)" """
    export = _entries(lambda text: b"")
    export.also = [0]
    return export


@case
def all_files_empty():
    """Three empty files. "`checkpoint` (covers exactly those)" """
    export = _entries(lambda text: b"")
    export.files["checkpoint"] = export.files["checkpoints.jsonl"] = b""
    export.also = [0]
    return export


@case
def truncated():
    """The last entry is gone, the checkpoint is not. "`checkpoint` (covers exactly those)" """
    return _entries(lambda text: b"".join(text.splitlines(keepends=True)[:-1]))


@case
def truncated_to_the_founding():
    """Only entry 0 is left. "`checkpoint` (covers exactly those)" """
    return _entries(lambda text: text.splitlines(keepends=True)[0])


@case
def appended():
    """An honest entry that the checkpoint does not cover. "`checkpoint` (covers exactly those)" """
    vault = opened()
    old = Export(vault)
    vault.roll_kek()
    export = Export(vault)
    export.files["checkpoint"] = old.files["checkpoint"]
    return export.false()


@case
def empty_line_at_the_end():
    """An empty line after the last entry. "LF after each" """
    export = _entries(lambda text: text + b"\n")
    export.seq = len(export.ledger.entries)
    export.also = [None]
    return export


@case
def crlf():
    """CR LF after each entry. "LF after each" """
    export = _entries(lambda text: text.replace(b"\n", b"\r\n"))
    export.seq = 0
    return export


@case
def bom():
    """entries.jsonl begins with a byte order mark. "A reader re-encodes what it parsed and refuses bytes that differ" """
    export = _entries(lambda text: b"\xef\xbb\xbf" + text)
    export.seq = 0
    return export


@case
def one_array():
    """entries.jsonl is a JSON array. "canonical entries, LF after each" """
    export = _entries(lambda text: b"[" + b",".join(text.splitlines()) + b"]\n")
    export.seq = 0
    return export


for _file in ("entries.jsonl", "checkpoint", "checkpoints.jsonl"):
    def _missing(file=_file):
        export = Export(opened())
        del export.files[file]
        return export.false()
    add(f"export-without-{_file.replace('.', '-')}", f"{_file} is missing. {FILES}", _missing)

for _name, _file in {"readme": "README.md", "hidden": ".DS_Store", "backup": "entries.jsonl~", "signature": "checkpoint.sig",
                     "second": "entries-2.jsonl", "capitals": "CHECKPOINT"}.items():
    def _extra(file=_file):
        export = Export(opened())
        export.files[file] = b"more\n"
        return export.false()
    add(f"export-extra-{_name}", f"{_file} is there too. {FILES}", _extra)


# --founded


@case
def founded_other():
    """The fingerprint that came from elsewhere is another. "then `seq`, `prev` and the fingerprint" """
    export = Export(opened()).with_founded(hash_of("another ledger"))
    export.exit, export.seq = 1, 0
    return export


@case
def founded_of_another_ledger():
    """An export of another, true ledger of the same name. "**The ledger's name** ... is the leaf of entry 0" """
    vault = Vault(label="the other")
    vault.found()
    vault.invite_first(CARLA)
    export = Export(vault).with_founded(opened().founded)
    export.exit, export.seq = 1, 0
    return export


@case
def founded_is_the_root():
    """The root in place of the fingerprint. "**The ledger's name**, `ledger` below, is the leaf of entry 0" """
    vault = opened()
    export = Export(vault).with_founded(root_of(vault.leaves).hex())
    export.exit, export.seq = 1, 0
    return export


@case
def founded_not_given():
    """True, and nobody said which ledger it should be. "3 **self-consistent only**" """
    return Export(opened()).with_founded(None)


@case
def founded_not_given_and_false():
    """False, and no fingerprint given. "1 **false**" """
    vault = asked()
    vault.open(vault.filed)
    return Export(vault.false()).with_founded(None)


@case
def founded_not_given_and_unknown():
    """Unknown, and no fingerprint given. "2 **not verified**" """
    vault = asked()
    vault.append("moon.risen", {"phase": "full"})
    return Export(vault.unknown()).with_founded(None)


@case
def whole_ledger_founded_anew():
    """Everything is true, but it is not the ledger that was founded: someone rebuilt it. "the fingerprint" """
    vault = Vault(label="rebuilt")
    vault.found()
    vault.invite_first(CARLA)
    vault.enrol(CARLA)
    for person in (ADA, BEN, CY, ROB):
        vault.join(person, CARLA)
    export = Export(vault).with_founded(opened().founded)
    export.exit, export.seq = 1, 0
    return export


# --seen


def _seen(*notes):
    export = Export(opened())
    for n, note in enumerate(notes, 1):
        export.with_seen(note(export.ledger), f"seen-{n}.txt")
    return export


def kept(size, root=None, name=None):
    """A checkpoint of a vault that somebody kept: of that size, signed, with that root and origin."""
    def note(vault):
        body = body_of(name or vault.name, size, root or root_of(vault.leaves[:size]))
        return note_of(body, vault.keys(1)[:1])
    return note


@case
def seen_true():
    """True: a checkpoint kept elsewhere is of this tree. "its root is this tree's at that size" """
    return _seen(kept(7))


@case
def seen_the_newest():
    """True: the checkpoint kept elsewhere is the export's own. "its size is not above the export's" """
    return _seen(lambda vault: vault.note())


@case
def seen_of_size_1():
    """True: a checkpoint of the founding alone. "its root is this tree's at that size" """
    return _seen(kept(1))


@case
def seen_by_the_other_token():
    """True: the kept checkpoint was signed by the other token. "either may sign" """
    return _seen(lambda vault: vault.note(9, vault.keys(9)[1:]))


@case
def seen_without_founded():
    """True in itself, and as seen; nobody said which ledger it should be. "3 **self-consistent only**" """
    return _seen(kept(7)).with_founded(None)


SEENS = {
    "root": ("another root", [kept(7, bytes(32))]),
    "root-of-another-size": ("the root of one entry more", [lambda vault: kept(7, root_of(vault.leaves[:8]))(vault)]),
    "larger": ("a size above the export's", [kept(1000, bytes(32))]),
    "one-larger": ("one entry more than the export", [kept(22, bytes(32))]),
    "origin": ("another origin", [kept(7, name="vitrine.example/other")]),
    "second": ("the first agrees, the second has another root", [kept(7), kept(9, bytes(32))]),
    "first": ("the second agrees, the first has another root", [kept(7, bytes(32)), kept(9)]),
    "newest": ("another root at the export's size", [kept(21, bytes(32))]),
}

for _name, (_what, _notes) in SEENS.items():
    def _inconsistent(notes=_notes):
        return _seen(*notes).false()
    add(f"export-seen-{_name}", f"A checkpoint kept elsewhere has {_what}. {SEEN}", _inconsistent)


@case
def seen_and_cut_short():
    """The export is a true, shorter past of what was seen. "its size is not above the export's" """
    seen = opened().note()
    vault = approved()
    return Export(vault).with_seen(seen).false()


@case
def seen_before_a_fork():
    """True: seen before the ledger forked. "its root is this tree's at that size" """
    vault = asked()
    seen = vault.note()
    vault.end(vault.filed, "withdrawn")
    return Export(vault).with_seen(seen)


@case
def seen_in_a_fork():
    """A release was opened and seen; the export has it withdrawn, hashed and signed anew. "its root is this tree's" """
    seen = opened().note()
    vault = asked()
    vault.end(vault.filed, "withdrawn")
    for _ in range(5):
        vault.roll_kek()
    return Export(vault).with_seen(seen).false()


@case
def seen_in_a_fork_without_founded():
    """The same, and no fingerprint given: the fork shows all the same. "1 **false**" """
    return seen_in_a_fork().with_founded(None)


@case
def seen_not_there():
    """The file given with `--seen` is not there. "an unreadable input" (exit 2)"""
    export = Export(opened()).with_seen(None, "seen-nowhere.txt")
    export.exit = 2
    return export
