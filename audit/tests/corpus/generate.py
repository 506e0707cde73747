"""Writes the corpus: generate.py OUT [--only NAME] (a case, or the beginning of its name). See README.md."""

import argparse
import pathlib
import sys
import time

sys.dont_write_bytecode = True

from forge import check, lies  # noqa: E402  (lies registers every case)
from forge.cases import CASES, export_of  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=pathlib.Path, help="folder to write to; its cases must not be there yet")
    parser.add_argument("--only", default="", metavar="NAME", help="cases whose name is NAME or begins with it")
    parser.add_argument("--list", action="store_true", help="print the names and lies, write nothing")
    arguments = parser.parse_args()
    lies.load()
    chosen = [name for name in CASES if name == arguments.only] or [
        name for name in CASES if name.startswith(arguments.only)]
    if arguments.list:
        return print("\n".join(f"{name}: {CASES[name][0]}" for name in chosen))
    begin, honest, tally = time.monotonic(), [], {}
    for name in chosen:
        lie, build = CASES[name]
        try:
            export = export_of(build())
            if not export.forged_files:
                check.check(export, export.exit in (0, 3))
        except Exception as error:
            raise SystemExit(f"{name}: {error!r}") from error
        export.write(arguments.out / name, lie)
        tally[export.exit] = tally.get(export.exit, 0) + 1
        if export.exit == 0:
            honest.append(export)
    if not arguments.only and check.uncovered(honest):
        raise SystemExit(f"no honest export shows: {', '.join(check.uncovered(honest))}")
    counts = ", ".join(f"{count} with exit {code}" for code, count in sorted(tally.items()))
    print(f"{len(chosen)} cases ({counts}) in {time.monotonic() - begin:.1f} s")


if __name__ == "__main__":
    main()
