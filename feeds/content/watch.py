"""Hints when a folder may have changed, from events of the file system or by polling."""

import errno
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from feeds.content.walk import printable_path

_LOG = logging.getLogger(__name__)
_WITHOUT_EVENTS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs",
                   "fuse.sshfs", "fuse.grpcfuse", "fuse.osxfs", "vboxsf"}  # fmt: skip
_EXPORTED_SUFFIXES = (".xml", ".json")
_IDENTITY_CHECK_INTERVAL_MS = 500  # between checks whether the folder was replaced
_QUIET_MS = 20  # a burst of events ends after this time without an event
_MAX_BURST_MS = 300  # after this time, events are yielded even if the burst has not ended
_SCAN_INTERVAL_S = 30.0  # between scans without events; longer if a scan takes long
_MAX_SCAN_INTERVAL_S = 600.0
_POLL_INTERVAL_S = 1.0  # between scans if there are no events
_RETRY_EVENTS_AFTER_S = 600.0  # time until events are requested again after the system had no watches left
_IN_DELETE_SELF = 0x400  # inotify(7)

WatchMode = Literal["auto", "events", "poll", "off"]


def watch(
    root: Path, mode: WatchMode, stop: threading.Event, scan_duration: Callable[[], float]
) -> Iterator[set[str] | None]:
    """Yield at once, and then whenever a folder may have changed, until `stop` is set.

    Each value is the set of paths that may have changed, files or folders; None if any path may have changed. If the
    system has no watches left, log that and poll the folder.

    Args:
        root: the folder.
        mode: the source of hints.
        stop: set to end the iteration.
        scan_duration: returns the seconds that the last full scan took.
    """
    next_attempt, reported = 0.0, set[str]()
    if mode == "auto" and _file_system(root) in _WITHOUT_EVENTS:
        mode = "poll"
    while not stop.is_set():
        yield None
        if mode == "off":
            stop.wait()
        elif mode == "poll" or time.monotonic() < next_attempt or not root.is_dir():
            stop.wait(_POLL_INTERVAL_S)
        else:
            try:
                yield from _events(root, stop, scan_duration)
            except (OSError, RuntimeError):  # the folder was deleted meanwhile, or there are no watches left
                if limit := _exhausted_limit(root):
                    next_attempt = time.monotonic() + _RETRY_EVENTS_AFTER_S
                if limit and limit not in reported:
                    reported.add(limit)
                    _LOG.warning("%s: the system can't watch more folders (inotify), so it is scanned every "
                                 "second instead; raise the limit %s with sysctl", root, limit)  # fmt: skip
                stop.wait(_POLL_INTERVAL_S)


def _events(root: Path, stop: threading.Event, scan_duration: Callable[[], float]) -> Iterator[set[str] | None]:
    """Yield on events, and at intervals without events, until the folder is replaced.

    Yield None once more in the first quiet moment: files may have been created before the folder was watched. For the
    same reason yield a new folder a second time: a file that is created in it at once may cause no event.
    """
    import watchfiles  # only `serve` needs it

    watched, scanned, must_repeat = _identity(root), time.monotonic(), True
    folders: set[str] = set()  # in the last events
    real = os.path.realpath(root)
    for events in watchfiles.watch(
        root,
        watch_filter=lambda _change, path: _may_matter(os.path.relpath(path, real)),
        debounce=_MAX_BURST_MS,
        step=_QUIET_MS,
        rust_timeout=_IDENTITY_CHECK_INTERVAL_MS,
        yield_on_timeout=True,
        stop_event=stop,
        raise_interrupt=False,
        ignore_permission_denied=True,
    ):
        # a new folder may have the inode of the deleted one, but is not watched
        is_deleted = any(change == watchfiles.Change.deleted and path == real for change, path in events)
        if is_deleted or _identity(root) != watched:
            return
        interval = min(max(_SCAN_INTERVAL_S, 20 * scan_duration()), _MAX_SCAN_INTERVAL_S)
        if must_repeat or time.monotonic() - scanned > interval:
            scanned, must_repeat = time.monotonic(), bool(events and must_repeat)
            if _exhausted_limit(root):
                raise OSError("some folders are not watched")  # watchfiles does not report this
            yield None
        elif events or folders:
            paths = {path: _hint(os.path.relpath(path, real).replace(os.sep, "/")) for _, path in events}
            hints = folders | set(paths.values())
            folders = {hint for path, hint in paths.items() if os.path.isdir(path)}  # noqa: PTH112
            yield None if "" in hints else hints


def _exhausted_limit(root: Path) -> str:
    """Return the name of the system's limit that prevents more watches; "" if there is none.

    With `ignore_permission_denied`, watchfiles ignores every error of `inotify_add_watch`. So this function tries to
    add one more watch.
    """
    import ctypes  # only a watch needs it

    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "inotify_init1"):
        return ""  # not Linux
    handle = libc.inotify_init1(os.O_CLOEXEC)
    if handle < 0:
        error = ctypes.get_errno()
        if error == errno.EMFILE and not _can_open():  # the limit of this process, not of inotify
            return ""
        return {errno.EMFILE: "fs.inotify.max_user_instances", errno.ENFILE: "fs.file-max"}.get(error, "")
    try:
        watch = libc.inotify_add_watch(handle, os.fsencode(root), _IN_DELETE_SELF)
        return "fs.inotify.max_user_watches" if watch < 0 and ctypes.get_errno() == errno.ENOSPC else ""
    finally:
        os.close(handle)


def _can_open() -> bool:
    """Return whether this process may open another file: its own limit causes EMFILE too."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return False
    return True


def _hint(path: str) -> str:
    """Return a path, or the nearest folder above it whose path is printable."""
    while printable_path(path) != path:
        path = path.rpartition("/")[0]
    return path


def _may_matter(path: str) -> bool:
    """Return whether an event may concern articles. Hidden files, such as the catalog, and exported files don't."""
    return not any(part.startswith(".") for part in Path(path).parts) and not path.endswith(_EXPORTED_SUFFIXES)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _file_system(path: Path) -> str:
    """Return the type of the file system of a path; "" except on Linux."""
    try:
        mounts = [line.split(" ")[1:3] for line in Path("/proc/self/mounts").read_text("utf-8").splitlines()]
    except OSError:
        return ""
    real = os.path.realpath(path) + "/"
    mounted = [(point, kind) for point, kind in mounts if real.startswith(point.rstrip("/") + "/")]
    return max(mounted, key=lambda mount: len(mount[0]), default=("", ""))[1]
