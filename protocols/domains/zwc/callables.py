"""Callables across the service: what stands for those of the program, and those that the library makes.

A callable of the program is a number in the request that holds it. A callable that the library makes from
such ones (a function that works on whole arrays) outlives its request; when it is called, the program's
callables come along again, and their stand-ins take on the new numbers.

Standard library only: this file is also copied into packages on disk.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .codec import CodecError, decode, encode

MAX_MADE = 1000  # callables of the library that one program may hold
CallBack = Callable[[bytes], bytes]
FAILED = encode(("failed",))
_ANSWER = encode(("answer",))[:-2]


class CallableFailed(Exception):
    """A callable that the program passed raised; the program knows why."""


class Lost(BaseException):
    """`call_back` raised. No library code in between may take that for an error of its own."""


class Proxy:
    """What stands in the service for a callable of the program."""

    def __init__(self, number: int, ask: Callable[..., Any]) -> None:
        self.number = number
        self.ask = ask

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.ask(*args, **kwargs)


def asking(
    number: int,
    call_back: CallBack,
    handle: Callable[[bytes, CallBack], bytes],
    plain: Callable[[Any], Any],
    array: Callable[[tuple[int, ...], str, list[Any]], Any],
) -> Callable[..., Any]:
    """A function that has the program run its callable of this number.

    Args:
        handle: serves the requests that the program makes before it answers.
        plain: makes values fit for `encode`.
        array: makes arrays of what comes back.
    """

    def send(message: bytes) -> bytes:
        try:
            return call_back(message)
        except BaseException as error:
            raise Lost from error

    def ask(*args: Any, **kwargs: Any) -> Any:
        message = send(encode(("question", number, plain(list(args)), plain(kwargs))))
        while not message.startswith(_ANSWER):
            if message == FAILED:
                raise CallableFailed
            message = send(handle(message, call_back))
        return decode(message, array, None)[1]

    return ask


class Made:
    """The callables that the library made for one program."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, Callable[..., Any], list[Proxy]]] = []

    def keep(self, name: str, made: Callable[..., Any], proxies: list[Proxy]) -> int:
        """Its number. `name` is the function that made it, `proxies` are those it may call.

        Raises:
            CodecError: there are too many.
        """
        if len(self._kept) >= MAX_MADE:
            raise CodecError(f"more than {MAX_MADE} callables of the library are in use")
        self._kept.append((name, made, proxies))
        return len(self._kept) - 1

    def clear(self) -> None:
        self._kept.clear()

    def name(self, number: int) -> str:
        """The function that made it."""
        return self._kept[number][0]

    @contextmanager
    def bound(self, number: Any, callables: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
        """The function's name and the callable, while its stand-ins ask for `callables` of this request.

        Raises:
            CodecError: there is no such callable, or `callables` do not fit it.
        """
        if type(number) is not int or not 0 <= number < len(self._kept):
            raise CodecError("unknown callable")
        name, made, proxies = self._kept[number]
        known = dict(enumerate(callables)) if type(callables) is list else {}
        if not all(isinstance(known.get(proxy.number), Proxy) for proxy in proxies):
            raise CodecError("the callables do not fit")
        before = [proxy.ask for proxy in proxies]
        for proxy in proxies:
            proxy.ask = known[proxy.number].ask
        try:
            yield name, made
        finally:
            for proxy, ask in zip(proxies, before):
                proxy.ask = ask
