"""Servers and keys that a configuration file names: nothing is sent to a server elsewhere that only it chose.

A file may come from anybody. Presets of taskspace are ours, and the command line is the user's choice.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from experiments import config
from protocols.errors import SettingError
from protocols.openai_settings import KEY_VARIABLES

_URL, _KEY = "engine.openai.base_url", "engine.openai.api_key_env"


def require_allowed(preset: str, overrides: Sequence[str], allowed: Sequence[str]) -> None:
    """Nothing, for a preset that comes with taskspace.

    Args:
        overrides: `key=value`, as on the command line; they go before the file.
        allowed: hosts that the user named.

    Raises:
        SettingError: the file names a server that is not this machine and is not allowed, or an environment
            variable that holds no key of a server.
    """
    if preset in config.presets():
        return
    chosen = {override.partition("=")[0].strip() for override in overrides}
    if {"engine", "engine.openai"} & chosen:
        return
    asked = _openai(config.values_of(preset))
    name = asked.get("api_key_env")
    if name is not None and _KEY not in chosen and name not in KEY_VARIABLES:
        raise SettingError(
            f"config file {preset}: {_KEY}: a file may choose {', '.join(KEY_VARIABLES)}; if you want "
            f"the value of another variable to be sent, say so: --set {_KEY}=NAME"
        )
    url = asked.get("base_url")
    if not isinstance(url, str) or _URL in chosen:
        return
    host = _host(url)
    if not _is_here(host) and host not in {one.casefold() for one in allowed}:
        raise SettingError(
            f"config file {preset}: {_URL}: prompts, and the key if there is one, would be sent to "
            f"{host[:100]!r}; if you want that, add --allow-host {host[:100] or 'HOST'}"
        )


def _openai(values: dict[str, Any]) -> dict[str, Any]:
    """The section; what is no section is refused when settings are made of it."""
    for name in ("engine", "openai"):
        inner = values.get(name)
        values = inner if isinstance(inner, dict) else {}
    return values


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").casefold()
    except ValueError:
        return ""


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
