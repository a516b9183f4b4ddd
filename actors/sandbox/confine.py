# ruff: noqa: PTH102, PTH103, PTH112, PTH123  (pathlib would be half a megabyte in every child)
"""What a helper does to itself, so that the programs it forks can do little. Linux; standard library only.

Every function either succeeds or raises OSError; the caller records which layers it has. Once applied they
hold for all descendants, so that a program costs no more than its own fork, its CPU limit and its
system-call filter. Does not cover: what is allowed (`actors.sandbox.isolation`), and when it is applied.
"""

import ctypes
import os
import resource
import signal
import socket
import struct

_libc = ctypes.CDLL(None, use_errno=True)

_CLONE = {
    "mount": 0x00020000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "network": 0x40000000,
}
NOBODY = 65534  # the kernel's overflow id: owns nothing

_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REC, _MS_PRIVATE, _MNT_DETACH = 2, 4, 8, 0x4000, 1 << 18, 2
_MS_RDONLY, _MS_REMOUNT, _MS_BIND = 1, 32, 0x1000
_PLAIN = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
_BIND = ctypes.c_ulong(_MS_BIND | _MS_REC)
_READ_ONLY = ctypes.c_ulong(_MS_BIND | _MS_REMOUNT | _PLAIN | _MS_RDONLY)
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_SECUREBITS = 1, 4, 22, 28
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAPBSET_DROP = 36, 38, 24

# The same numbers on every architecture since Linux 5.13.
_LANDLOCK_CREATE, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT = 444, 445, 446
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
_FS_READ = 0b1100  # read file, read folder
_FS_WRITE = (1 << 1) | (1 << 4) | (1 << 5) | (1 << 7) | (1 << 8) | (1 << 14)  # no links, devices or sockets


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), f"prctl {option}")


def unshare(kind: str) -> None:
    """Leave one kind of namespace; for `pid` that goes for the children to come."""
    _check(_libc.unshare(_CLONE[kind]), f"unshare {kind}")


def unshare_user() -> None:
    """Enter a user namespace as its root; where we were real root, `NOBODY` exists in it too.

    A second id can be mapped only from outside the new namespace, hence the short-lived fork. Call it
    while this process has a single thread.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0:
        unshare("user")
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"0 {uid} 1")
        _write("/proc/self/gid_map", f"0 {gid} 1")
        return
    parent, (read, write) = os.getpid(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.read(read, 1)
            for name in ("uid_map", "gid_map"):
                _write(f"/proc/{parent}/{name}", f"0 0 1\n{NOBODY} {NOBODY} 1")
            os._exit(0)
        finally:
            os._exit(1)
    try:
        unshare("user")
    finally:
        os.write(write, b"x")
        status = os.waitpid(child, 0)[1]
        os.close(read)
        os.close(write)
    if status:
        raise OSError("the ids of the user namespace could not be mapped")


def empty_root(inputs: list[str]) -> None:
    """Make an empty file system in memory the root, read-only, with the current folder in it.

    It holds nothing but an empty folder `/scratch`, and the folders `inputs`, read-only, as `/inputs/0`,
    `/inputs/1` and so on.
    """
    unshare("mount")
    mount, here = _libc.mount, b"/tmp" if os.path.isdir("/tmp") else b"/proc"
    _check(mount(None, b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None), "make mounts private")
    # Opened now: they may lie beneath what is going to be covered.
    sources = [os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for folder in inputs]
    options = b"size=64k,nr_inodes=256,mode=755"  # for the folders themselves
    _check(mount(b"tmpfs", here, b"tmpfs", ctypes.c_ulong(_PLAIN), options), "mount an empty root")
    os.chdir(here)
    os.mkdir("scratch")
    for number, source in enumerate(sources):
        place = f"{here.decode()}/inputs/{number}"
        os.makedirs(place)
        os.fchdir(source)
        _check(mount(b".", place.encode(), None, _BIND, None), f"mount {inputs[number]}")
        _check(mount(None, place.encode(), None, _READ_ONLY, None), f"make {inputs[number]} read-only")
        os.close(source)
    _check(mount(None, here, None, _READ_ONLY, None), "make the root read-only")
    os.chdir(here)
    pivot = _SYS_PIVOT_ROOT.get(os.uname().machine)
    if pivot is None:
        raise OSError(f"pivot_root: unknown on {os.uname().machine}")
    _check(_libc.syscall(pivot, b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _MNT_DETACH), "leave the old root")
    os.chdir("/")


def fresh_scratch(size_mb: int, owner: int, mounted: bool) -> None:
    """A new file system in memory as `/scratch`; the one before goes with all that it holds.

    Args:
        mounted: there is one before.
    """
    if mounted:
        _check(_libc.umount2(b"/scratch", _MNT_DETACH), "drop the scratch folder")
    # 64 KiB for the folders themselves; many small files are bounded by their inodes.
    options = f"size={size_mb * 1024 + 64}k,nr_inodes=256,mode=700,uid={owner},gid={owner}".encode()
    made = _libc.mount(b"tmpfs", b"/scratch", b"tmpfs", ctypes.c_ulong(_PLAIN), options)
    _check(made, "mount a scratch folder")


def landlock(readable: list[str] | None, writable: list[str]) -> int:
    """Allow reading and writing beneath these folders, and no other; no TCP; no signals to outsiders.

    `readable` None leaves reading and executing as they are.

    Returns:
        The kernel's Landlock version: below 4 it knows no network rules, below 6 no signal scope.
    """
    version = _check(_libc.syscall(_LANDLOCK_CREATE, None, 0, 1), "landlock")
    handled = (1 << 13) - 1
    for since, bit in ((2, 13), (3, 14), (5, 15)):  # refer, truncate, ioctl on devices
        handled |= (1 << bit) if version >= since else 0
    if readable is None:
        handled &= ~(_FS_READ | 1)
    network = 0b11 if version >= 4 else 0  # bind, connect
    scope = 0b11 if version >= 6 else 0  # abstract sockets, signals
    attributes = struct.pack("QQQ", handled, network, scope)[
        : 24 if version >= 6 else 16 if version >= 4 else 8
    ]
    ruleset = _check(_libc.syscall(_LANDLOCK_CREATE, attributes, len(attributes), 0), "landlock ruleset")
    try:
        for folders, access in ((readable or [], _FS_READ), (writable, _FS_READ | _FS_WRITE)):
            for folder in folders:
                beneath = os.open(folder, os.O_PATH | os.O_CLOEXEC)
                is_file = not os.path.isdir(folder)
                rule = struct.pack("=Qi", (access & 0b110 if is_file else access) & handled, beneath)
                _check(_libc.syscall(_LANDLOCK_ADD_RULE, ruleset, 1, rule, 0), f"landlock rule for {folder}")
                os.close(beneath)
        no_new_privileges()
        _check(_libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0), "landlock restrict")
    finally:
        os.close(ruleset)
    return version


def become_nobody() -> None:
    """Give up root's user id, where there is another one to become."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def forgo_capabilities() -> None:
    """No exec, of this process or its descendants, gains a capability that this one has."""
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) < 0:
            break  # past the last one of this kernel, or none left that would allow it


def drop_capabilities() -> None:
    """No capability any more."""
    capset = _SYS_CAPSET.get(os.uname().machine)
    if capset is None:
        raise OSError(f"capset: unknown on {os.uname().machine}")
    header = struct.pack("Ii", 0x20080522, 0)
    _check(_libc.syscall(capset, header, bytes(24)), "capset")


def no_new_privileges() -> None:
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def hide() -> None:
    """Not dumpable: no core file, no ptrace and no /proc access by others of the same user."""
    prctl(_PR_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """Descendants whose parent ended become our children (in a pid namespace its first process has them)."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def limit(memory_mb: int, file_mb: int) -> None:
    """Limits that a helper can bear itself."""
    for kind, amount in (
        (resource.RLIMIT_AS, memory_mb << 20),
        (resource.RLIMIT_FSIZE, file_mb << 20),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        amount = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(kind, (amount, amount))


def limit_program(cpu_s: int) -> None:
    """Limits of one program: SIGXCPU at the soft limit, SIGKILL a second later; not one more process."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


class Filter:
    """A compiled seccomp program, kept ready for `install`: a child should touch as little as it can."""

    def __init__(self, bpf: bytes) -> None:
        self._code = ctypes.create_string_buffer(bpf, len(bpf))  # the kernel copies from here
        # struct sock_fprog: unsigned short len; struct sock_filter *filter
        program = struct.pack("HxxxxxxQ", len(bpf) // 8, ctypes.addressof(self._code))
        self._program = ctypes.create_string_buffer(program, len(program))
        self._address = ctypes.c_void_p(ctypes.addressof(self._program))
        self._prctl = ctypes.PyDLL(None).prctl  # without giving up the interpreter lock and taking it again

    def install(self) -> None:
        if self._prctl(_PR_SET_SECCOMP, 2, self._address) != 0:
            raise OSError("the kernel refused the system-call filter")


def loopback_is_down() -> bool:
    """Whether this process is cut off from every network, its own machine included."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("127.0.0.1", 9))
        except OSError:
            return True
    return False
