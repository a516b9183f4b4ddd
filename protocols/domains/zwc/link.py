"""The package and its service in one process, for trusted code: documentation, tests, notebooks.

Does not cover: untrusted programs. They get the client alone, in a sandbox.
"""

import queue
import threading
from types import ModuleType

from protocols.domains.zwc.client import build
from protocols.domains.zwc.obfuscate import Library
from protocols.domains.zwc.service import Service

_HOLDS_CALLABLE = b'{"f":'


class Link:
    """`send` for `client.build`, straight into a service.

    A request that holds a callable is handled by a thread of its own, because the service has to stop in
    the middle and wait until the client has run it.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self._to_client: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._to_service: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._waiting = 0

    def send(self, message: bytes) -> bytes:
        if self._waiting:
            self._to_service.put(message)
        elif _HOLDS_CALLABLE in message:
            threading.Thread(target=self._handle, args=(message,), daemon=True).start()
        else:
            return self.service.handle(message)
        return self._to_client.get()

    def _handle(self, message: bytes) -> None:
        reply = self.service.handle(message, self._call_back)
        self._waiting = 0
        self._to_client.put(reply)

    def _call_back(self, question: bytes) -> bytes:
        self._waiting = 1
        self._to_client.put(question)
        return self._to_service.get()


def open_package(library: Library, service: Service | None = None) -> ModuleType:
    """The package of a library, served in this process."""
    return build(library.package, library.public, Link(service or Service(library.blob)).send)
