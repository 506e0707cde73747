"""FORMATS.md 2: the seven members, chain, time, actor, size."""

from ..canonical import encode
from ..people import Person
from ..stories import CARLA, founded


def entry_of_size(size):
    """A true setting whose client data was padded until the entry has that many bytes."""
    vault = founded()
    for value in ("600", "6000", "60000", "600000"):
        filler = size
        for _ in range(3):
            trial = vault.copy()

            def pad(line, filler=filler):
                return line[:-1] + b',"padding":"' + b"x" * filler + b'"}'
            trial.next(touch={"client_bytes": pad}).setting(CARLA, value=value)
            excess = len(trial.entries[-1]) - size
            if excess == 0:
                return trial
            filler -= -(-excess * 3 // 4)
    raise ValueError("no padding fits")
