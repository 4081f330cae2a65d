# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Tries what a program may not; an event says which by its number. The answer is the error
that it should be and the one that it was; 0: it went through."""

import ctypes
import errno
import fcntl
import os
import platform
import signal
import threading

import ebpf_faas

ARM64 = platform.machine() == "aarch64"
LIBC = ctypes.CDLL(None, use_errno=True)


def call(amd64, arm64, *arguments):
    """A system call by its number."""
    if LIBC.syscall(arm64 if ARM64 else amd64, *arguments) < 0:
        raise OSError(ctypes.get_errno(), "")


def open_(path, flags=os.O_RDONLY):
    return lambda: os.open(path, flags, 0o600)


def many_files():
    while True:
        os.dup(2)


def many_threads():
    gate = threading.Event()
    try:
        for _ in range(1000):
            threading.Thread(target=gate.wait, daemon=True).start()
    except RuntimeError:
        raise OSError(errno.EAGAIN, "") from None
    finally:
        gate.set()


def parent():
    """Whoever started it is not there."""
    if os.getppid() == 0:
        raise OSError(errno.ESRCH, "")


def hostname():
    if os.uname().nodename == "worker":
        raise OSError(errno.ENXIO, "")


def clock_of(pid):
    return (~pid << 3) | 2


LIMITS = (ctypes.c_ulong * 2)(32, 32)
WRITES = os.O_WRONLY | os.O_CREAT
ATTACKS = [
    (errno.ENOENT, open_("/etc/passwd")),
    (errno.ENOENT, open_("/proc/self/mem")),
    (errno.ENOENT, open_("../../../../etc/passwd")),
    (errno.ENOENT, open_("/run/ebpf-faas/control")),
    (errno.EACCES, open_("/dev/null", os.O_WRONLY)),
    (errno.EROFS, open_("/app/new", WRITES)),
    (errno.EROFS, open_("/usr/bin/new", WRITES)),
    (errno.EPERM, lambda: os.mkdir("/app/new")),
    (errno.EPERM, lambda: os.unlink("/app/attack.py")),
    (errno.EPERM, lambda: os.chmod("/app/attack.py", 0o777)),
    (errno.EPERM, lambda: call(41, 198, 2, 2, 0)),  # socket: internet,
    (errno.EPERM, lambda: call(41, 198, 1, 1, 0)),  # by a path,
    (errno.EPERM, lambda: call(41, 198, 16, 3, 0)),  # to the kernel,
    (errno.EPERM, lambda: call(41, 198, 17, 3, 0)),  # of packets
    (errno.EPERM, lambda: call(47, 212, 3, 0, 0)),  # recvmsg: files from the worker
    (errno.EPERM, os.fork),
    (errno.EPERM, lambda: os.posix_spawn("/bin/true", ["true"], {})),
    (errno.EPERM, lambda: os.kill(os.getppid(), signal.SIGKILL)),
    (errno.EPERM, lambda: os.kill(-1, signal.SIGKILL)),
    (errno.EPERM, lambda: os.kill(0, signal.SIGTERM)),
    (errno.ESRCH, parent),
    (errno.ENXIO, hostname),
    # Whether there is a process of a number: it hears the same of all.
    (errno.EPERM, lambda: os.getpgid(1)),
    (errno.EPERM, lambda: os.getpgid(4000)),
    (errno.ENOSYS, lambda: os.sched_getaffinity(1)),
    (errno.EPERM, lambda: os.sched_getparam(1)),
    (errno.EPERM, lambda: os.getpriority(os.PRIO_PROCESS, 1)),
    (errno.EPERM, lambda: call(302, 261, 1, 7, 0, LIMITS)),
    (errno.EPERM, lambda: call(228, 113, clock_of(1), LIMITS)),  # clock_gettime
    (errno.EPERM, lambda: fcntl.fcntl(2, fcntl.F_SETOWN, 1)),
    (errno.EPERM, lambda: call(157, 167, 1, 0, 0, 0, 0)),  # prctl: outlive its worker
    (errno.EPERM, lambda: call(302, 261, 0, 7, LIMITS, 0)),  # prlimit64
    (errno.EPERM, lambda: call(319, 279, b"x", 0)),  # memfd_create
    (errno.ENOSYS, lambda: call(425, 425, 4, 0)),  # io_uring_setup
    (errno.EMFILE, many_files),
    (errno.EAGAIN, many_threads),
    # These end it.
    (0, lambda: call(101, 117, 0, os.getppid(), 0, 0)),  # ptrace
    (0, lambda: call(310, 270, os.getppid(), 0, 0, 0, 0, 0)),  # process_vm_readv
    (0, lambda: call(165, 40, 0, 0, 0, 0, 0)),  # mount
    (0, lambda: call(321, 280, 0, 0, 0)),  # bpf
    (0, lambda: call(272, 97, 0x10000000)),  # unshare: users
]


def on_event(event):
    number = event.source_port - 30000
    if number >= len(ATTACKS):
        event.emit("count", attacks=len(ATTACKS),
                   errors=sum(expected != 0 for expected, _ in ATTACKS))
        return
    expected, attack = ATTACKS[number]
    error = 0
    try:
        attack()
    except OSError as refused:
        error = refused.errno
    if expected == errno.EMFILE:
        os.closerange(5, 64)
    event.emit("tried", attack=number, should=expected, error=error)


ebpf_faas.run(on_event)
