"""FORMATS.md 4, "roster.set", "The named roster"."""

from ..people import Person
from ..stories import CARLA, SAFE, founded


def crowd(n, **new):
    """A safe founded by n approvers."""
    vault = founded()
    approvers = [Person(f"approver {i}", f"Approver {i}", ["approver"]) for i in range(n)]
    for person in approvers:
        vault.join(person, CARLA)
    vault.found_safe(SAFE, CARLA, *approvers, **new)
    return vault
