"""Frames over a Unix stream socket: one byte of kind, four of length, then the payload.

Standard library only: the pool, the wardens and the untrusted children all use it. It moves bytes; what
they mean, and whether they may be believed, is decided by who reads them.
"""

import os
import struct

_HEADER = struct.Struct("<cI")
_CHUNK = 1 << 16
INPUT = struct.Struct("<H")  # the number of an input folder, told to the zygote
NO_INPUT = 0xFFFF


class Closed(BaseException):
    """The other side is gone."""


class TooLong(BaseException):
    """The other side announced a frame over the limit. `kind` is its kind."""

    def __init__(self, kind: bytes) -> None:
        super().__init__(kind)
        self.kind = kind


def pack(kind: bytes, payload: bytes = b"") -> bytes:
    return _HEADER.pack(kind, len(payload)) + payload


class Frames:
    """Bytes in, whole frames out. `limit` bounds the payloads that are accepted."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    @property
    def missing(self) -> int:
        """Bytes that the frame at hand still needs, as far as is known."""
        have = len(self._buffer)
        if have < _HEADER.size:
            return _HEADER.size - have
        return _HEADER.size + int(_HEADER.unpack_from(self._buffer)[1]) - have

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


class Link:
    """A socket's file descriptor that blocks: for whole frames, and until all is written.

    `exact` reads no byte of the frame after the one at hand.
    """

    def __init__(self, fd: int, limit: int, exact: bool = False) -> None:
        self._fd = fd
        self._exact = exact
        self._frames = Frames(limit)

    def close(self) -> None:
        os.close(self._fd)

    def send(self, data: bytes) -> None:
        try:
            sent = os.write(self._fd, data)
            while sent < len(data):
                sent += os.write(self._fd, memoryview(data)[sent:])
        except (BrokenPipeError, ConnectionResetError):
            raise Closed from None

    def recv(self) -> tuple[bytes, bytes]:
        while (frame := self._frames.next()) is None:
            try:
                data = os.read(self._fd, min(_CHUNK, self._frames.missing) if self._exact else _CHUNK)
            except ConnectionResetError:
                raise Closed from None
            if not data:
                raise Closed
            self._frames.feed(data)
        return frame
