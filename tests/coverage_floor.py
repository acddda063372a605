"""Compare the coverage of the last test run with its floors: `.ci/run` fails below them."""

import json
import subprocess
import sys

FLOORS = {"lines": 97.0, "branches": 92.0}  # per cent
_NAMES = {"lines": ("covered_lines", "num_statements"), "branches": ("covered_branches", "num_branches")}


def main():
    """Print the coverage of lines and branches; return 1 if one is below its floor."""
    coverage = [sys.executable, "-m", "coverage"]
    written = subprocess.run([*coverage, "json", "-q", "-o", "-"], check=True, capture_output=True, text=True)
    totals = json.loads(written.stdout)["totals"]
    failed = False
    for what, (covered, all_) in _NAMES.items():
        share = 100 * totals[covered] / totals[all_]
        print(f"coverage of {what}: {share:.2f} % (floor {FLOORS[what]} %)")  # noqa: T201
        failed |= share < FLOORS[what]
    if failed:
        subprocess.run([*coverage, "report", "--skip-covered", "--show-missing"], check=False)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
