"""Two runs of one program, as the warden sees them: in processes that part before anything of it has run.

Does not cover: how they part (`runner`), and what they are compared for (`warden`).
"""

import socket
from typing import TYPE_CHECKING, Any

from actors.sandbox.play import Ended, Play
from actors.sandbox.wire import Closed, Link, pack
from protocols.domains.zwc import codec
from protocols.domains.zwc.shaking import Shaking

if TYPE_CHECKING:
    from actors.sandbox.warden import Warden

REQUEST = codec.MAX_BYTES  # bytes of one frame from a child


class Run:
    """How one child ended."""

    def __init__(self, play: Play, shaking: Shaking | None) -> None:
        self.play, self.shaking = play, shaking
        self.status, self.detail = "ok", ""

    @property
    def whole(self) -> bool:
        """It came to its end, and every case has a value."""
        return self.status == "ok" and all(case.error is None for case in self.play.cases)


class Twins:
    """Two runs of one program, in processes that part before anything of it has run: see `runner`."""

    def __init__(self, warden: "Warden", job: dict[str, Any], service: Any) -> None:
        self.warden, self.job, self.service = warden, job, service
        self.sockets = [*socket.socketpair(), *socket.socketpair()]
        own, _, twins, _ = self.sockets
        self.own, self.twins = Link(own.fileno(), REQUEST), Link(twins.fileno(), REQUEST)
        self.parted = False
        self.ended = self.how = b""  # what was said when the first run was to end, and how it ended

    def first(self, shaking: Shaking | None) -> Run:
        play = Play(self.twins, self.service, self.job, self.warden.settings, shaking)

        def begin() -> None:
            self.warden.fork([self.sockets[1], self.sockets[3]])
            self.own.send(pack(b"P", self.job["program"]))
            play.until_parted(self.own)
            self.parted = True

        def cause() -> tuple[str, str]:
            if not self.parted:
                return self.warden.cause()
            try:
                return self.warden.told(self._end_first())
            except Ended as end:
                return end.status, end.detail

        self.run = self.warden.follow(play, begin, cause, shaking, None)
        return self.run

    def second(self, shaking: Shaking | None, true: Run | None) -> Run:
        play = Play(self.own, self.service, self.job, self.warden.settings, shaking)
        if not self.parted:  # it ended as it was compiled
            run = Run(play, shaking)
            run.status, run.detail = self.run.status, self.run.detail
            return run

        def begin() -> None:
            self._end_first()

        return self.warden.follow(play, begin, self.warden.cause, shaking, true)

    def _end_first(self) -> bytes:
        """End the first run, once; how it ended."""
        if not self.ended:
            try:
                self.own.send(pack(b"G"))
                kind, self.how = self.own.recv()
            except Closed:
                kind = b""
            self.ended = kind or b"lost"
        if self.ended != b"S":
            raise Ended("runtime_error", "it ended the process that was to run it again")
        return self.how

    def close(self) -> None:
        for end in self.sockets[::2]:
            end.close()
        self.warden.stop()
