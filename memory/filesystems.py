"""What a folder's file system can do for a run database: locks that hold, and memory that is shared.

SQLite's write-ahead log needs shared memory between the processes of one machine, which network file systems
do not give. There a run keeps a rollback journal: one process writes, and readers wait for it and it for
them. Without real locks nothing is safe, and such a folder is refused.
"""

import fcntl
import mmap
import os
import re
import struct
import tempfile
from pathlib import Path

import psutil

from protocols.errors import StoreError

NETWORK = re.compile(
    "9p|afs|beegfs|ceph|cifs|gfs2|glusterfs|gpfs|lustre|ncpfs|nfs[34]?|ocfs2|smb3|smbfs|virtiofs|wekafs"
    r"|acfs|davfs2?|orangefs|panfs|prl_fs|pvfs2|vboxsf"
    r"|fuse\.(blobfuse2?|ceph(-fuse)?|gcsfuse|glusterfs|goofys|juicefs|mfs|mountpoint-s3|rclone|s3fs|seaweedfs|sshfs"
    r"|vmhgfs-fuse)"
)
"""Types of mounts whose files other machines see, too; Amazon's EFS and FSx are nfs4 and lustre."""


def kind(folder: Path) -> str:
    """The type of the file system that a folder is on, as the kernel names it; "" where that is unknown."""
    place, found, length = folder.resolve(), "", -1
    for mounted in psutil.disk_partitions(all=True):
        point = Path(mounted.mountpoint)
        if place.is_relative_to(point) and len(point.parts) >= length:  # of two at one point, the later
            found, length = mounted.fstype.lower(), len(point.parts)
    return found


def journal_mode(folder: Path) -> str:
    """`WAL`, or `DELETE` (a rollback journal) where the log cannot work.

    Args:
        folder: is there.

    Raises:
        StoreError: it cannot be written to, or its files cannot be locked.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-") as probe:
            if not _locks(probe.name):
                raise StoreError(
                    f"{folder}: its file system ({kind(folder) or 'unknown'}) has no locks that hold, and "
                    "a run would be damaged; put the run on a local disk (--runs), or mount it with locks"
                )
            log = NETWORK.fullmatch(kind(folder)) is None and _shares_memory(probe.fileno())
    except OSError as error:
        raise StoreError(f"{folder}: {error.strerror}; choose another folder") from None
    return "WAL" if log else "DELETE"


def _locks(path: str) -> bool:
    """Whether a lock keeps another one out. Locks of open files, for those of a process never meet its own;
    a system that has none of these (macOS) is trusted."""
    if not hasattr(fcntl, "F_OFD_SETLK"):
        return True
    whole = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    with open(path, "rb+") as one, open(path, "rb+") as other:  # noqa: PTH123
        try:
            fcntl.fcntl(one, fcntl.F_OFD_SETLK, whole)
        except OSError:
            return False
        try:
            fcntl.fcntl(other, fcntl.F_OFD_SETLK, whole)
        except OSError:
            return True
        return False


def _shares_memory(file: int) -> bool:
    try:
        os.ftruncate(file, mmap.PAGESIZE)
        with mmap.mmap(file, mmap.PAGESIZE) as shared:
            shared[0] = 1
    except (OSError, ValueError):
        return False
    return True
