"""From a preset or a YAML file and `--set` overrides to the settings of a run, and back to a file.

Order: the defaults in `protocols.settings`, then the preset, then the overrides. Whatever is wrong comes
out as one `SettingError` line that names the key, the value, what is allowed and what to do.

Does not cover: whether the machine can carry the settings out (`experiments.preflight`).
"""

import copy
import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import annotated_types
import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from memory.privacy import at_home
from protocols import plain_yaml
from protocols.errors import SettingError
from protocols.openai_settings import OpenAISettings
from protocols.settings import ANSWER_TOKENS, RunSettings

PRESETS = Path(__file__).parent / "presets"

#: What may differ when a run is resumed: none of it changes what a round does for a seed.
RESUMABLE = (
    "rounds",
    "preset",
    "runtime",
    "tracking",
    "learner.ranks",  # these three change rounding only
    "learner.collective_s",
    "learner.activation_checkpointing",
    *(
        f"engine.openai.{name}"  # where the server is, and how fast and dear; not what it is asked
        for name in OpenAISettings.model_fields
        if name not in ("model", "endpoint", "prefill")
    ),
)

#: Where settings stand that once had another name: (section, name) -> (section within it, name).
FORMER = {
    ("curator", "buffer_size"): ("buffer", "size"),
    ("curator", "buffer_p"): ("buffer", "p"),
    ("curator", "kappa"): ("buffer", "kappa"),
}


def presets() -> list[str]:
    """Names of the presets that come with taskspace."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def load(preset: str | Path, overrides: list[str] | None = None) -> RunSettings:
    """The settings of `presets/NAME.yaml` or of a YAML file, with `key.sub=value` overrides on top.

    Raises:
        SettingError: no such preset or file, broken YAML, unknown key, or a value out of range.
    """
    return resolve(merged(values_of(preset), overrides or []))


def values_of(preset: str | Path) -> dict[str, Any]:
    """The nested values of a preset, before defaults.

    Raises:
        SettingError: no such preset or file, or broken YAML.
    """
    path = _find(str(preset))
    values = read(path)
    _refuse_control(values, f"config file {path}")
    values.setdefault("preset", path.stem)
    return values


def load_file(path: Path) -> RunSettings:
    """The resolved settings that a run folder keeps.

    Raises:
        SettingError: as for `load`.
    """
    return resolve(read(path))


def merged(values: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """Nested plain values with `key.sub=value` overrides on top; `values` itself stays as it is.

    Where the overrides name another domain, the longest answers are those of that domain, unless they are
    overridden, too: what a preset says of them is said of its own domain.
    """
    values = copy.deepcopy(values)
    domain = values.get("domain", "zwc")
    for override in overrides:
        _put(values, override)
    if values.get("domain", "zwc") != domain and values["domain"] in ANSWER_TOKENS:
        said = tuple(override.partition("=")[0].strip() for override in overrides)
        for section in ("solver", "evaluation"):
            names = (section, f"{section}.sampling", f"{section}.sampling.max_tokens")
            if not any(name in said for name in names):
                _put(values, f"{names[-1]}={ANSWER_TOKENS[values['domain']]}")
    return values


def overlaid(values: dict[str, Any], layer: dict[str, Any]) -> dict[str, Any]:
    """Nested values with those of a layer on top, section by section; both stay as they are."""
    made = dict(values)
    for key, value in layer.items():
        below = made.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            value = overlaid(below, value)
        made[key] = value
    return made


def save(settings: RunSettings, path: Path) -> None:
    """Write every setting, defaults included, so that the file alone says what was run."""
    text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")


def resolve(values: dict[str, Any]) -> RunSettings:
    """Settings from nested plain values; unknown keys and bad values become one-line errors.

    Runs keep their settings: names that settings had when a run began are understood.
    """
    values = at_home(_with_new_names(values))
    _refuse_unknown(values, RunSettings, "")
    try:
        return RunSettings.model_validate(values)
    except ValidationError as error:
        raise SettingError(_explain(error.errors()[0])) from None


def _with_new_names(values: dict[str, Any]) -> dict[str, Any]:
    """Of `FORMER` settings."""
    for (section, former), key in FORMER.items():
        inner = values.get(section)
        if not isinstance(inner, dict) or former not in inner:
            continue
        rest = {name: value for name, value in inner.items() if name != former}
        within, last = key
        rest[within] = {last: inner[former], **(rest.get(within) or {})}
        values = {**values, section: rest}
    return values


def flat(settings: RunSettings) -> dict[str, Any]:
    """Every setting by its dotted key, as plain values."""
    return dict(_flat(settings.model_dump(mode="json")))


def differing(old: RunSettings, new: RunSettings) -> list[str]:
    """Dotted keys whose values differ, each as `key (old -> new)`."""
    before, after = flat(old), flat(new)
    keys = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
    return [f"{k} ({before.get(k)!r} -> {after.get(k)!r})" for k in keys]


def require_resumable(old: RunSettings, new: RunSettings, run: str) -> None:
    """Refuse to go on with a run under settings that would make it another experiment.

    Raises:
        SettingError: names every differing key with both values.
    """
    may = tuple(f"{key}." for key in RESUMABLE)
    keys = [k for k in differing(old, new) if not f"{k.split(' ', 1)[0]}.".startswith(may)]
    if keys:
        raise SettingError(
            f"resume {run}: {len(keys)} settings differ from the run's own: {'; '.join(keys)}; "
            f"leave them out, or start a new run"
        )


def value_at(settings: RunSettings, key: str) -> Any:
    """A setting's value as plain data, by its dotted key."""
    found: Any = settings.model_dump(mode="json")
    for part in key.split("."):
        found = found[part]
    return found


def field_at(key: str) -> FieldInfo | None:
    """The field behind a dotted key, or None (sections have fields too; free-form dictionaries do not)."""
    model: type[BaseModel] = RunSettings
    parts = key.split(".")
    for i, part in enumerate(parts):
        field = model.model_fields.get(part)
        if field is None:
            return None
        if i == len(parts) - 1:
            return field
        if not _is_section(field.annotation):
            return None
        model = field.annotation  # type: ignore[assignment]
    return None


def keys(model: type[BaseModel] = RunSettings, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every leaf setting as (dotted key, field)."""
    for name, field in model.model_fields.items():
        if _is_section(field.annotation):
            yield from keys(field.annotation, f"{prefix}{name}.")  # type: ignore[arg-type]
        else:
            yield prefix + name, field


def _find(preset: str) -> Path:
    named = PRESETS / f"{preset}.yaml"
    if "/" not in preset and named.is_file():
        return named
    path = Path(preset)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise SettingError(f"config file {preset}: there is no such file; check the path")
        return path
    near = difflib.get_close_matches(preset, presets(), n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise SettingError(
        f"preset: {preset!r} is unknown; {hint}choose one of {', '.join(presets())}, or give a YAML file"
    )


def read(path: Path) -> dict[str, Any]:
    """The nested values of a YAML file.

    Raises:
        SettingError: it cannot be read, is no YAML, or holds no mapping.
    """
    try:
        values = plain_yaml.load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"config file {path}: {error.strerror}; check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).splitlines()[0]
        why = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(why)[:120]
        raise SettingError(f"config file {path}{where}: {why}; correct the YAML") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingError(f"config file {path}: holds a {type(values).__name__}; write `key: value` lines")
    return values


def _put(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    key = key.strip()
    if not equals or not key:
        raise SettingError(
            f"--set {override}: not of the form key=value; write e.g. --set solver.group_size=8"
        )
    try:
        value = plain_yaml.load(text)
    except yaml.YAMLError:
        raise SettingError(f"--set {override}: the value is not YAML; put it in quotes") from None
    _refuse_control(value, f"--set {key}")
    *parents, last = key.split(".")
    here = values
    for parent in parents:
        inner = here.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise SettingError(f"--set {key}: {parent!r} is a single value and has no keys; use {parent}=...")
        here = inner
    here[last] = value


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")  # all but tabs and ends of lines


def _refuse_control(value: Any, where: str) -> None:
    """Refuse what a backslash in double quotes makes: "\\boxed" is a backspace and oxed, "\\frac" a form feed
    and rac.

    Raises:
        SettingError: a text holds a control character that nobody writes on purpose.
    """
    if isinstance(value, dict):
        for name, inner in value.items():
            _refuse_control(inner, f"{where}: {name}")
    elif isinstance(value, list):
        for inner in value:
            _refuse_control(inner, where)
    elif isinstance(value, str) and _CONTROL.search(value):
        raise SettingError(
            f"{where}: a control character in {value!r}; a backslash stands for itself in single quotes only"
        )


def _refuse_unknown(values: dict[str, Any], model: type[BaseModel], prefix: str) -> None:
    for name, value in values.items():
        field = model.model_fields.get(str(name))
        if field is None:
            raise SettingError(_unknown(f"{prefix}{name}", list(model.model_fields), prefix))
        if _is_section(field.annotation) and isinstance(value, dict):
            _refuse_unknown(value, field.annotation, f"{prefix}{name}.")  # type: ignore[arg-type]


def _unknown(key: str, siblings: list[str], prefix: str) -> str:
    everything = [k for k, _ in keys()]
    last = key.rsplit(".", 1)[-1]
    # A misspelt name most often has its right form beside it; a forgotten section, elsewhere.
    beside = difflib.get_close_matches(last, siblings, n=1)
    elsewhere = [k for k in everything if k.rsplit(".", 1)[-1] == last]
    whole = difflib.get_close_matches(key, everything, n=1, cutoff=0.5)
    near = [prefix + beside[0]] if beside else elsewhere[:1] or whole
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(siblings)}"
    return f"setting {key!r} is unknown; {hint}"


def _explain(error: ErrorDetails) -> str:
    key = ".".join(str(part) for part in error["loc"])
    field = field_at(key)
    while field is None and "." in key:  # the location may go on inside a list or a dictionary
        key = key.rsplit(".", 1)[0]
        field = field_at(key)
    value = _clip(repr(error["input"]))
    if field is None:
        return f"setting {key}: {value}: {error['msg']}"
    allowed = _bounds(field)
    example = field.get_default(call_default_factory=True)
    remedy = "" if isinstance(example, BaseModel) else f"; write e.g. --set {key}={_plain(example)}"
    if error["type"] == "literal_error":
        return (
            f"setting {key}: {value} is not one of {error['ctx']['expected'].replace(' or ', ', ')}{remedy}"
        )
    if allowed and error["type"].startswith(("greater_than", "less_than")):
        return f"setting {key}: {value} is out of range (allowed: {allowed}){remedy}"
    what = error["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    return f"setting {key}: {value} is not allowed, it has to be {what}{remedy}"


def _bounds(field: FieldInfo) -> str:
    low = high = ""
    for bound in field.metadata:
        match bound:
            case annotated_types.Ge(ge=x):
                low = f"{x} <= "
            case annotated_types.Gt(gt=x):
                low = f"{x} < "
            case annotated_types.Le(le=x):
                high = f" <= {x}"
            case annotated_types.Lt(lt=x):
                high = f" < {x}"
    return f"{low}value{high}" if low or high else ""


def _plain(value: Any) -> str:
    text = (
        yaml.safe_dump(value, default_flow_style=True) if not isinstance(value, tuple) else str(list(value))
    )
    return text.removesuffix("\n").removesuffix("\n...")


def _clip(text: str, width: int = 80) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
