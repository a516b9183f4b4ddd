"""The screen as a web application: Streamlit's, for its own pages alone.

A page of another origin, also one of another port of this machine, cannot open its websocket, be answered
under a name of its own, or show it within a frame. Programs that send no `Origin` are not browsers, and may.
"""

from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost", "[::1]")
HEADERS = {
    "X-Frame-Options": "SAMEORIGIN",  # components of the page itself lie in frames
    "Content-Security-Policy": (
        "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; object-src 'none'; base-uri 'self'; "
        "form-action 'self'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class OwnOrigin:
    """Middleware: refuses what comes from another origin, and sends `HEADERS` with every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not is_own(headers.get("host", ""), headers.get("origin")):
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
                return
            await PlainTextResponse("this page serves its own origin only", 403)(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers)


def is_own(host: str, origin: str | None) -> bool:
    """Whether a request is to this machine by its own name, and from a page of the same origin.

    Args:
        host: the header of that name, with the port.
        origin: the header of that name; None where there is none.
    """
    name, colon, port = host.rpartition(":")
    if (name if colon and port.isdecimal() else host).casefold() not in HOSTS:
        return False
    if origin is None:
        return True
    parts = urlsplit(origin)
    return parts.scheme in ("http", "https") and parts.netloc.casefold() == host.casefold()


app = st.App(Path(__file__).with_name("app.py"), middleware=[Middleware(OwnOrigin)])
