"""Inject every possible fault into a build: python benchmarks/faults.py [STRIDE].

Kills a build at its 1st, 2nd, 3rd … call that changes a file (every STRIDE-th); lets each of these calls fail because
the disk is full; and builds on file systems that are too small, which requires root. After each fault, every document
must be the old or the new version, and the next build must write the new version of all. Exit code 1 if not. Needs
strace.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import faults


def check(edited_site: faults.EditedSite, folder: Path, fault: str) -> int:
    """Check a site after a fault and after the next build, and print problems. Return 1 if there are any, else 0."""
    torn = edited_site.torn(folder)
    done = edited_site.build(folder)
    complete = faults.documents(folder / "public") == edited_site.new
    if torn or done.returncode or not complete:
        print(f"{fault}: torn {torn}, then exit {done.returncode}, {'right' if complete else 'WRONG'}: {done.stderr}")
        return 1
    return 0


def small_disks(edited_site: faults.EditedSite, root: Path) -> int:
    """Build on file systems with 0, 40, 80 … KiB of free space; return the number of failed checks."""
    wrong = 0
    for free_kib in range(0, 400, 40):
        disk = root / f"disk-{free_kib}"
        disk.mkdir()
        usage = subprocess.run(["du", "-sk", edited_site.copy(root / f"t{free_kib}")], capture_output=True, check=True)
        size = int(usage.stdout.split()[0]) + free_kib
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", disk], check=False)
        if mounted.returncode:
            print("small disks: skipped, because mounting a file system failed")
            return wrong
        try:
            site = edited_site.copy(disk / "site")
            done = edited_site.build(site)
            message = done.stderr.strip() or "built"
            torn = edited_site.torn(site)
            subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
            failed = check(edited_site, site, f"{free_kib} KiB free") + bool(torn)
            wrong += failed
            print(
                f"{free_kib} KiB free: exit {done.returncode}, {message[-70:]}; then {'WRONG' if failed else 'right'}"
            )
        finally:
            subprocess.run(["umount", disk], check=True)
    return wrong


def main() -> int:
    """Inject all faults; return 1 if a check failed."""
    stride = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="feeds-faults-") as folder:
        edited_site = faults.EditedSite(Path(folder))
        for effect in ("signal=KILL", "error=ENOSPC"):
            steps = range(0, len(edited_site.calls), stride)
            for step in steps:
                site = edited_site.copy(Path(folder) / f"{effect[:5]}-{step}")
                at = edited_site.at(step) if "KILL" in effect else edited_site.from_step(step, faults.WRITE_CALLS)
                edited_site.build_with_fault(site, effect, at, constants=faults.ONE_THREAD)
                wrong += check(edited_site, site, f"{effect} at {edited_site.calls[step][:60]}")
            print(f"{effect}: {len(steps)} of {len(edited_site.calls)} calls, {wrong} wrong so far", flush=True)
        wrong += small_disks(edited_site, Path(folder))
        edited_site.close()
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
