"""The layers round an untrusted program, by name: what each is for, and whether it holds here.

The helpers apply them to themselves (`actors.sandbox.confine`) and report which ones worked (`slot.layers`
asks one only for that). A missing layer is named with its reason; whether that is good enough is a setting.
"""

import fcntl
import functools
import tempfile
from collections.abc import Sequence
from typing import Literal

from protocols.errors import SandboxError
from protocols.isolation import LAYERS, Layer, weakness

# Computing, memory, time, files beneath the scratch folder, and talking over what is already open. All else
# fails with EPERM, which Python turns into PermissionError.
_CALLS = """
read write readv writev pread64 pwrite64 lseek close close_range dup dup2 dup3 pipe2 poll ppoll select
pselect6 open openat creat stat fstat lstat newfstatat statx access faccessat faccessat2 getdents getdents64
unlink unlinkat mkdir mkdirat rmdir rename renameat renameat2 ftruncate truncate fsync fdatasync getcwd chdir
fchdir umask readlink readlinkat utimensat mmap munmap mprotect mremap brk madvise mincore futex futex_waitv
set_robust_list rseq membarrier sched_yield sched_getaffinity getcpu clock_getres
clock_nanosleep nanosleep gettimeofday time getitimer rt_sigaction rt_sigprocmask rt_sigreturn
rt_sigpending sigaltstack restart_syscall getuid geteuid getgid getegid getresuid getresgid getgroups
getrandom sysinfo uname getrlimit exit exit_group
"""
_PROT_EXEC = 4
# Commands of fcntl on what is the program's own. Others set locks, owners, leases and hints, which may stay.
_FCNTL = ("F_DUPFD", "F_DUPFD_CLOEXEC", "F_GETFD", "F_SETFD", "F_GETFL")
_CPU_CLOCKS = (2, 3)  # of the process, of the thread
# More for who is not a program but confined like one.
_MORE = {
    "program": "",
    "zygote": "wait4 pidfd_open recvfrom recvmsg sendto prlimit64",
    "library": "sendto sendmsg recvfrom recvmsg socketpair setitimer prlimit64",
}
_FORK = 0x01200011  # the flags of a plain fork in glibc: no thread, no namespace


@functools.cache
def seccomp_filter(who: Literal["program", "zygote", "library"]) -> bytes:
    """The system-call filter as a compiled BPF program: everything not listed fails with EPERM.

    Args:
        who: a program; the process that forks programs, which inherit this filter and can do no more with it
            (their limit on processes is 0, and only the zygote has anybody to signal or to wait for); or the
            process that serves the library.

    Raises:
        OSError: libseccomp, or its Python binding, is not there.
    """
    import errno

    try:
        import pyseccomp as seccomp
    except (ImportError, RuntimeError, OSError) as error:
        raise OSError(f"libseccomp cannot be loaded ({error})") from None

    rules = seccomp.SyscallFilter(defaction=seccomp.ERRNO(errno.EPERM))
    # A binary tree instead of a list: the kernel walks it for every call.
    rules.set_attr(seccomp.Attr.CTL_OPTIMIZE, 2)
    for call in f"{_CALLS} {_MORE[who]}".split():
        number = seccomp.resolve_syscall(seccomp.system_arch(), call)
        if number < 0:
            continue  # this architecture does without it
        if call in ("mmap", "mprotect"):  # no new machine code: no shared library, no extension module
            rules.add_rule(seccomp.ALLOW, call, seccomp.Arg(2, seccomp.MASKED_EQ, _PROT_EXEC, 0))
        else:
            rules.add_rule(seccomp.ALLOW, call)
    # Which process this is, and how long it has computed, would tell one run of a program from another.
    for clock in range(12):
        if clock not in _CPU_CLOCKS:
            rules.add_rule(seccomp.ALLOW, "clock_gettime", seccomp.Arg(0, seccomp.EQ, clock))
    for command in _FCNTL:
        rules.add_rule(seccomp.ALLOW, "fcntl", seccomp.Arg(1, seccomp.EQ, getattr(fcntl, command)))
    if who == "zygote":
        rules.add_rule(seccomp.ALLOW, "clone", seccomp.Arg(0, seccomp.EQ, _FORK))
        rules.add_rule(seccomp.ALLOW, "kill", seccomp.Arg(0, seccomp.MASKED_EQ, 0xFFFFFFFF, 0xFFFFFFFF))
    # Reading limits is harmless, setting them is not: argument 2 is the new limit.
    if who == "program":
        rules.add_rule(seccomp.ALLOW, "prlimit64", seccomp.Arg(2, seccomp.EQ, 0))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def complete(reported: dict[str, str], without: Sequence[str]) -> list[Layer]:
    """All layers in order, from what a helper reported: name to "" (it holds) or the reason it does not."""
    found = []
    for name in LAYERS:
        if name in without:
            found.append(Layer(name, "off", "switched off"))
        elif name not in reported:
            found.append(Layer(name, "missing", "not reached"))
        elif reported[name]:
            found.append(Layer(name, "missing", reported[name]))
        else:
            found.append(Layer(name, "on"))
    return found


def insist(found: Sequence[Layer]) -> None:
    """Refuse to go on below the floor.

    Raises:
        SandboxError: names what is missing, why, and the cure.
    """
    weak = weakness(found)
    if weak is not None:
        raise SandboxError(f"sandbox: {weak}; sandbox.allow_weaker=true runs programs all the same")
