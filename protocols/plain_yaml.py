"""YAML as people mean it: the core schema of YAML 1.2, and not PyYAML's 1.1.

There `no` is false, `1:30` is 90, `010` is 8 and `2026-11-30` is a date. Here `010` is 10, the others are
texts, and `1e-5` is a number.
"""

import json
import re
from typing import Any

import yaml

_PREFIX = "tag:yaml.org,2002:"
#: What 1.1 resolves otherwise than 1.2, or 1.2 does not know; but for merging (`<<`), which ladders use.
_REPLACED = {f"{_PREFIX}{name}" for name in ("bool", "int", "float", "timestamp", "value")}


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that is there twice, as YAML 1.2 does; merged ones (`<<`) may be overridden."""
        seen = set()
        for name, _ in node.value:
            if isinstance(name, yaml.ScalarNode) and not name.tag.endswith(":merge"):
                if name.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {name.value[:40]!r} is there twice", name.start_mark
                    )
                seen.add(name.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _REPLACED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
):
    _Loader.add_implicit_resolver(f"{_PREFIX}{_name}", re.compile(rf"(?:{_pattern})\Z"), list(_first))


def _integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


_Loader.add_constructor(f"{_PREFIX}int", _integer)


def load(text: str) -> Any:
    """The plain data that a text stands for.

    Raises:
        yaml.YAMLError: it is no YAML, holds itself, or a key twice.
    """
    try:
        found = yaml.load(text, _Loader)  # a safe loader: plain data only
        json.dumps(found, default=str)  # an anchor within itself has no end
        return found
    except (ValueError, ArithmeticError, LookupError, AttributeError, TypeError, RecursionError) as error:
        raise yaml.YAMLError(f"no value: {' '.join(str(error).split())[:80]}") from None
