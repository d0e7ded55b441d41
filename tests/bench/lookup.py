"""What looking a connector up costs: its first time, which reads its row, and each time after. See README.md."""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CATALOG = Path(__file__).parents[2] / "shared/catalog"
BASELINE = Path(__file__).with_name("baseline.json")
MOST_NS = 1000
RISE = 1.10
ROUNDS = 2000


def instructions(program, rounds, ids):
    with tempfile.NamedTemporaryFile() as counts:
        valgrind = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={counts.name}"]
        subprocess.run([*valgrind, program, str(rounds), *ids], check=True)
        return int(re.search(r"^(?:summary|totals): (\d+)", Path(counts.name).read_text(), re.M)[1])


def seconds(program, rounds, ids):
    """The fastest of ten."""

    def once():
        began = time.perf_counter()
        subprocess.run([program, str(rounds), *ids], check=True)
        return time.perf_counter() - began

    return min(once() for _ in range(10))


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run lookup", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if a count is more than 10 %% above the baseline's")
    parser.add_argument("--update", action="store_true", help="write the baseline")
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    ids = sorted(file.stem for file in CATALOG.glob("*.toml"))
    none, once, twice = (instructions(arguments.program, rounds, ids) for rounds in (0, 1, 2))
    counted = {"first": (once - none) // len(ids), "again": (twice - once) // len(ids)}
    start, first, many = (seconds(arguments.program, rounds, ids) for rounds in (0, 1, ROUNDS))
    ns = {"first": (first - start) / len(ids) * 1e9, "again": (many - first) / (ROUNDS - 1) / len(ids) * 1e9}
    print(f"looking a connector up among {len(ids)}:")
    for name in counted:
        print(f"  {name:<6}{counted[name]:>8,} instructions{ns[name]:>10.0f} ns")
    baseline = json.loads(BASELINE.read_text())
    failed = [] if ns["again"] < MOST_NS else [f"a look-up takes {ns['again']:.0f} ns, the budget is {MOST_NS}"]
    if arguments.check:
        before = baseline.get("lookup", {})
        failed += [
            f"{name}: {count:,} instructions, the baseline says {before.get(name, 0):,}"
            for name, count in counted.items()
            if count > before.get(name, 0) * RISE
        ]
    if arguments.update:
        BASELINE.write_text(json.dumps(baseline | {"lookup": counted}, indent=2) + "\n")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
