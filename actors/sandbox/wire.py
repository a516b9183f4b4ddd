"""Frames over a Unix stream socket: one byte of kind, four of length, then the payload.

Standard library only: the pool, the wardens and the untrusted children all use it. It moves bytes; what
they mean, and whether they may be believed, is decided by who reads them.
"""

import socket
import struct
import time

_HEADER = struct.Struct("<cI")
_CHUNK = 1 << 16


class Closed(Exception):
    """The other side is gone."""


class TooLong(Exception):
    """The other side announced a frame over the limit. `kind` is its kind."""

    def __init__(self, kind: bytes) -> None:
        super().__init__(kind)
        self.kind = kind


class Late(Exception):
    """The deadline passed while waiting for a frame, or for room to send one."""


def pack(kind: bytes, payload: bytes = b"") -> bytes:
    return _HEADER.pack(kind, len(payload)) + payload


class Frames:
    """Bytes in, whole frames out. `limit` bounds the payloads that are accepted."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> tuple[bytes, bytes] | None:
        """The next whole frame, or None when more bytes are needed.

        Raises:
            TooLong: the header announces more than the limit.
        """
        buffer = self._buffer
        if len(buffer) < _HEADER.size:
            return None
        kind, length = _HEADER.unpack_from(buffer)
        if length > self.limit:
            raise TooLong(kind)
        end = _HEADER.size + length
        if len(buffer) < end:
            return None
        payload = bytes(buffer[_HEADER.size : end])
        del buffer[:end]
        return kind, payload


class Channel:
    """A socket that blocks for whole frames, until a deadline on the monotonic clock if there is one."""

    def __init__(self, sock: socket.socket, limit: int, deadline: float | None = None) -> None:
        self.sock = sock
        self.deadline = deadline
        self._frames = Frames(limit)

    def send(self, *frames: bytes) -> None:
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        try:
            self._arm()
            self.sock.sendall(data)
        except TimeoutError:
            raise Late from None
        except OSError:
            raise Closed from None

    def recv(self) -> tuple[bytes, bytes]:
        while True:
            frame = self._frames.next()
            if frame is not None:
                return frame
            try:
                self._arm()
                data = self.sock.recv(_CHUNK)
            except TimeoutError:
                raise Late from None
            except OSError:
                raise Closed from None
            if not data:
                raise Closed
            self._frames.feed(data)

    def _arm(self) -> None:
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.sock.settimeout(left)

    def close(self) -> None:
        self.sock.close()
