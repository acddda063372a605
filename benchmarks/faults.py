"""Every fault that a build can meet, one after the other: python benchmarks/faults.py [STRIDE].

Kills it at its 1st, 2nd, 3rd … call that changes a file (every STRIDE-th), then has each refused for lack of room, and
last runs it on file systems that are too small (as root, who alone may mount them). After each: are all documents the
old or the new ones, and does the next build make all of them new? Exit code 1 if not. Needs strace.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import faults


def check(scene: faults.Scene, place: Path, what: str) -> int:
    """Say what is wrong with a site after a fault, and after the build that follows. Gives how much is."""
    torn = scene.torn(place)
    done = scene.build(place)
    whole = faults.documents(place / "public") == scene.new
    if torn or done.returncode or not whole:
        print(f"{what}: torn {torn}, then exit {done.returncode}, {'right' if whole else 'WRONG'}: {done.stderr}")
        return 1
    return 0


def small_disks(scene: faults.Scene, root: Path) -> int:
    """Build on file systems with a little more room than the site takes, more and more."""
    wrong = 0
    for more in range(0, 400, 40):
        place = root / f"disk-{more}"
        place.mkdir()
        used = int(
            subprocess.run(
                ["du", "-sk", scene.copy(root / f"t{more}")], capture_output=True, check=True
            ).stdout.split()[0]
        )
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={used + more}k", "tmpfs", place], check=False)
        if mounted.returncode:
            print("small disks: not tried, nothing can be mounted here")
            return wrong
        try:
            site = scene.copy(place / "site")
            done = scene.build(site)
            said = done.stderr.strip() or "built"
            torn = scene.torn(site)
            subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
            wrong += check(scene, site, f"{more} KiB left") + bool(torn)
            print(f"{more} KiB left: exit {done.returncode}, {said[-70:]}; with room again all is right")
        finally:
            subprocess.run(["umount", place], check=True)
    return wrong


def main() -> int:
    """Go through all faults. Gives the exit code."""
    stride = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="feeds-faults-") as folder:
        scene = faults.Scene(Path(folder))
        for effect in ("signal=KILL", "error=ENOSPC"):
            steps = range(0, len(scene.calls), stride)
            for step in steps:
                place = scene.copy(Path(folder) / f"{effect[:5]}-{step}")
                at = scene.at(step) if "KILL" in effect else scene.from_(step, faults.STORES)
                scene.injected(place, effect, at, constants=faults.ONE_THREAD)
                wrong += check(scene, place, f"{effect} at {scene.calls[step][:60]}")
            print(f"{effect}: {len(steps)} of {len(scene.calls)} calls, {wrong} wrong so far", flush=True)
        wrong += small_disks(scene, Path(folder))
        scene.close()
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
