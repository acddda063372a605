"""Confines a child process, after its imports, to computing and to replying through its pipes.

There are two layers, neither of which needs privileges:

- On every system, resource limits (setrlimit): no new file descriptors, hence no files, sockets or pipes; no bytes
  written to files; no child processes, except as root.
- On Linux (x86-64 and ARM64), a system call filter (seccomp): calls that are not listed here fail with EPERM. It also
  stops calls that need no descriptor, such as deleting a file or sending a signal. If the kernel or the container has
  no seccomp, only the first layer applies.
"""

import contextlib
import ctypes
import platform
import resource
import struct
import sys

_EPERM = 1
_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2  # prctl(2)
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # instructions of classic BPF
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _DENY = 0x7FFF0000, 0x00050000 | _EPERM

# call -> its numbers on x86-64 and ARM64, where ppoll replaces poll
_CALLS = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "poll": (7, 73), "lseek": (8, 62),
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "readv": (19, 65), "writev": (20, 66),
    "sched_yield": (24, 124), "mremap": (25, 216), "madvise": (28, 233), "nanosleep": (35, 101),
    "getitimer": (36, 102), "setitimer": (38, 103), "getpid": (39, 172), "exit": (60, 93), "getrlimit": (97, 163),
    "getrusage": (98, 165), "sigaltstack": (131, 132), "setrlimit": (160, 164), "gettid": (186, 178),
    "futex": (202, 98), "restart_syscall": (219, 128), "clock_gettime": (228, 113), "clock_nanosleep": (230, 115),
    "exit_group": (231, 94), "getrandom": (318, 278), "membarrier": (324, 283), "rseq": (334, 293),
}  # fmt: skip
_PRLIMIT = (302, 261)
_MACHINES = {
    "x86_64": (0, 0xC000003E),
    "aarch64": (1, 0xC00000B7),
}  # machine -> (index in the tuples above, AUDIT_ARCH_ of the kernel)


def confine() -> None:  # pragma: no cover  # the confined process can't write coverage data
    """Permanently deny this process files, the network and other processes. Import modules and open files before."""
    limit_resources()
    filter_calls()


def limit_resources() -> None:  # pragma: no cover  # as above
    """Set resource limits to 0, so that the process can't open files, write files or start processes."""
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_CORE):
        with contextlib.suppress(ValueError, OSError):  # the system lacks this limit
            resource.setrlimit(limit, (0, 0))


def filter_calls() -> bool:  # pragma: no cover  # as above
    """Install a filter that denies all system calls but those in `_CALLS`. Return whether the kernel accepts it."""
    machine = _MACHINES.get(platform.machine())
    if sys.platform != "linux" or machine is None:
        return False
    program = _program(*machine)
    instructions = ctypes.create_string_buffer(program, len(program))
    descriptor = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))  # struct sock_fprog
    prctl = ctypes.CDLL(None).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    if prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    buffer = ctypes.create_string_buffer(descriptor, len(descriptor))
    return bool(prctl(_SET_SECCOMP, _FILTER, ctypes.addressof(buffer), 0, 0) == 0)


def _program(column: int, architecture: int) -> bytes:
    """Return the filter as instructions of 8 bytes (struct sock_filter) for a machine of `_MACHINES`."""
    calls, prlimit = [numbers[column] for numbers in _CALLS.values()], _PRLIMIT[column]
    deny = struct.pack("HBBI", _RETURN, 0, 0, _DENY)
    allow = struct.pack("HBBI", _RETURN, 0, 0, _ALLOW)
    last = len(calls)
    return b"".join((
        struct.pack("HBBI", _LOAD, 0, 0, _ARCHITECTURE),
        struct.pack("HBBI", _EQUAL, 1, 0, architecture),
        deny,
        struct.pack("HBBI", _LOAD, 0, 0, _NUMBER),
        *(struct.pack("HBBI", _EQUAL, last - index + 2, 0, call) for index, call in enumerate(calls)),
        struct.pack("HBBI", _EQUAL, 0, 3, prlimit),  # allowed only for this process (pid 0)
        struct.pack("HBBI", _LOAD, 0, 0, _FIRST_ARGUMENT),
        struct.pack("HBBI", _EQUAL, 0, 1, 0),
        allow,
        deny,
    ))  # fmt: skip
