"""One module per family of cases. A case's name begins with its module's."""

import importlib

FAMILIES = ["honest", "assertion", "decision", "chain", "canonical", "member", "people", "roster", "acting", "version", "order",
            "checkpoint", "export"]


def load():
    """Registers every case."""
    for family in FAMILIES:
        importlib.import_module(f"{__name__}.{family}")
