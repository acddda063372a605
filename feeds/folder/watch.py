"""A hint when a folder may have changed, from the system's events where it has any."""

import ctypes
import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from feeds.folder.walk import shown_path

_LOG = logging.getLogger(__name__)
_SILENT = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs",
           "fuse.sshfs", "fuse.grpcfuse", "fuse.osxfs", "vboxsf"}  # fmt: skip
_EXPORTED = (".xml", ".json")
_TICK = 500  # ms between two looks at whether the folder is still the same one
_QUIET = 20  # ms without an event after which a burst of them is over
_BURST = 300  # ms after which a burst is told of even if it goes on
_TRUTH_EVERY = 30.0  # s between two scans though no event came; more where a scan takes long
_TRUTH_AT_LEAST_EVERY = 600.0  # s
_POLL_EVERY = 1.0  # s between two scans where there are no events
_EVENTS_AGAIN_AFTER_S = 600.0  # where the system had no watches left
_IN_DELETE_SELF = 0x400  # inotify(7)

How = Literal["auto", "events", "poll", "off"]


def watch(root: Path, how: How, stop: threading.Event, scan_took: Callable[[], float]) -> Iterator[set[str] | None]:
    """Yield whenever a folder may have changed, until `stop` is set; the first time at once.

    What is yielded are the paths that may have changed, files or folders; None if any may have. `scan_took` gives the
    seconds that the last scan took. Where the system has no watches left, that is logged, and the folder is polled.
    """
    events_from, reported = 0.0, set[str]()
    if how == "auto" and _file_system(root) in _SILENT:
        how = "poll"
    while not stop.is_set():
        yield None
        if how == "off":
            stop.wait()
        elif how == "poll" or time.monotonic() < events_from or not root.is_dir():
            stop.wait(_POLL_EVERY)
        else:
            try:
                yield from _events(root, stop, scan_took)
            except (OSError, RuntimeError):  # the folder went away in between, or there are no watches left
                if limit := _exhausted(root):
                    events_from = time.monotonic() + _EVENTS_AGAIN_AFTER_S
                if limit and limit not in reported:
                    reported.add(limit)
                    _LOG.warning("%s: the system can't watch more folders (inotify), so it is looked through every "
                                 "second instead; raise the limit %s with sysctl", root, limit)  # fmt: skip
                stop.wait(_POLL_EVERY)


def _events(root: Path, stop: threading.Event, scan_took: Callable[[], float]) -> Iterator[set[str] | None]:
    """Yield on events, and every so often without, for as long as the folder is the one we are watching.

    Once more in the first quiet moment after the start: something may have come before it was watched. For the same
    reason a new folder is hinted at a second time: a file that is written to it at once may cause no event.
    """
    import watchfiles  # which only `serve` needs

    watched, scanned, again = _identity(root), time.monotonic(), True
    folders: set[str] = set()  # that were in the last events
    real = os.path.realpath(root)
    for events in watchfiles.watch(
        root,
        watch_filter=lambda _change, path: _may_matter(os.path.relpath(path, real)),
        debounce=_BURST,
        step=_QUIET,
        rust_timeout=_TICK,
        yield_on_timeout=True,
        stop_event=stop,
        raise_interrupt=False,
        ignore_permission_denied=True,
    ):
        # a new folder may have the number of the one that was deleted, which alone was watched
        deleted = any(change == watchfiles.Change.deleted and path == real for change, path in events)
        if deleted or _identity(root) != watched:
            return
        every = min(max(_TRUTH_EVERY, 20 * scan_took()), _TRUTH_AT_LEAST_EVERY)
        if again or time.monotonic() - scanned > every:
            scanned, again = time.monotonic(), bool(events and again)
            if _exhausted(root):
                raise OSError("some folders are not watched")  # about which watchfiles says nothing
            yield None
        elif events or folders:
            paths = {path: _told_of(os.path.relpath(path, real).replace(os.sep, "/")) for _, path in events}
            hints = folders | set(paths.values())
            folders = {hint for path, hint in paths.items() if os.path.isdir(path)}  # noqa: PTH112
            yield None if "" in hints else hints


def _exhausted(root: Path) -> str:
    """Return the name of the system's limit because of which no more folders can be watched; "" if there is none.

    watchfiles ignores every error of `inotify_add_watch` where it is to ignore folders that we may not read, so another
    watch is tried here.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "inotify_init1"):
        return ""  # not Linux
    handle = libc.inotify_init1(os.O_CLOEXEC)
    if handle < 0:
        error = ctypes.get_errno()
        ours = error == errno.EMFILE and not _can_open()
        return (
            "" if ours else {errno.EMFILE: "fs.inotify.max_user_instances", errno.ENFILE: "fs.file-max"}.get(error, "")
        )
    try:
        watch = libc.inotify_add_watch(handle, os.fsencode(root), _IN_DELETE_SELF)
        return "fs.inotify.max_user_watches" if watch < 0 and ctypes.get_errno() == errno.ENOSPC else ""
    finally:
        os.close(handle)


def _can_open() -> bool:
    """Return whether this process may open another file: EMFILE is also said of its own limit."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return False
    return True


def _told_of(path: str) -> str:
    """Give what is told of a path: itself, or the folder that it is in if it is shown otherwise than it is."""
    while shown_path(path) != path:
        path = path.rpartition("/")[0]
    return path


def _may_matter(path: str) -> bool:
    """Tell whether an event may concern articles: not if it is hidden, as our own catalog may be, or exported."""
    return not any(part.startswith(".") for part in Path(path).parts) and not path.endswith(_EXPORTED)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _file_system(path: Path) -> str:
    """Name the type of the file system that holds a path, "" where the system doesn't tell (only Linux does)."""
    try:
        mounts = [line.split(" ")[1:3] for line in Path("/proc/self/mounts").read_text("utf-8").splitlines()]
    except OSError:
        return ""
    real = os.path.realpath(path) + "/"
    holders = [(point, kind) for point, kind in mounts if real.startswith(point.rstrip("/") + "/")]
    return max(holders, key=lambda mount: len(mount[0]), default=("", ""))[1]
