"""One module per family of cases. A case's name begins with its module's."""

import importlib

FAMILIES = """honest edge canonical chain founding member key who unique assertion decision roster named acting counting
    grant version belonging order checkpoint export verdict""".split()


def load():
    """Registers every case."""
    for family in FAMILIES:
        importlib.import_module(f"{__name__}.{family}")
