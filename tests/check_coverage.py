"""Compare the coverage of the last test run with the required minimum; `.ci/run` fails below it."""

import json
import subprocess
import sys

MINIMUM_PERCENT = {"lines": 97.0, "branches": 92.0}
_TOTALS = {"lines": ("covered_lines", "num_statements"), "branches": ("covered_branches", "num_branches")}


def main():
    """Print the coverage of lines and branches; return 1 if one is below its minimum."""
    coverage = [sys.executable, "-m", "coverage"]
    report = subprocess.run([*coverage, "json", "-q", "-o", "-"], check=True, capture_output=True, text=True)
    totals = json.loads(report.stdout)["totals"]
    failed = False
    for kind, (covered, total) in _TOTALS.items():
        percent = 100 * totals[covered] / totals[total]
        print(f"coverage of {kind}: {percent:.2f} % (minimum {MINIMUM_PERCENT[kind]} %)")  # noqa: T201
        failed |= percent < MINIMUM_PERCENT[kind]
    if failed:
        subprocess.run([*coverage, "report", "--skip-covered", "--show-missing"], check=False)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
