#!/usr/bin/env python3
"""compare.py CORPUS: runs the verifier over every CORPUS/<case>; exit 1 when a verdict differs.

A case is `export/`, `seen-*.txt` and `expect.json` {"exit","seq","lie","founded","seen"}, now and then "also": other
entries that are as good to name.
"""

import json
import sys
import time
from pathlib import Path

from verify import verify


def compare(case: Path) -> str:
    """What differs, or nothing."""
    expected = json.loads((case / "expect.json").read_text())
    seen = [case / name for name in expected.get("seen") or []]
    found = verify(case / "export", expected.get("founded"), seen)
    if found.exit == expected["exit"] and found.seq in [expected["seq"], *expected.get("also", [])]:
        return ""
    return (
        f"{case.name}: expected {expected['exit']} at {expected['seq']} ({expected['lie']}),"
        f" found {found.exit} at {found.seq} ({found.lie})"
    )


def main(corpus: str) -> int:
    start = time.monotonic()
    cases = sorted(path.parent for path in Path(corpus).glob("*/expect.json"))
    differing = [difference for difference in map(compare, cases) if difference]
    for difference in differing:
        print(difference)
    print(f"{len(cases)} cases, {len(differing)} differ, {time.monotonic() - start:.0f} s")
    return 1 if differing or not cases else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
