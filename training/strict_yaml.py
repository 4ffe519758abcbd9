"""YAML into dataclasses, with the line of whatever does not fit."""

from __future__ import annotations

import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from masa_core.wording import nearest

_T = TypeVar("_T")
_COMMAND_LINE = "command line"
_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


class ConfigError(ValueError):
    """A configuration that cannot be used; one sentence with file, line and key."""


def read_nodes(path: Path, overrides: list[str]) -> MappingNode:
    """The nodes of a YAML file, each of which knows its line, with "a.b=value" put over them."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        raise ConfigError(f"{path} cannot be read ({reason})") from error
    root = _compose(text, str(path))
    if not isinstance(root, MappingNode):
        raise ConfigError(f"{path} must hold 'key: value' lines")
    for override in overrides:
        _put(root, override)
    return root


def to_dataclass(cls: type[_T], node: Node) -> _T:
    """The dataclass of a mapping. Raises ConfigError for what is unknown, missing or wrong."""
    if not isinstance(node, MappingNode):
        raise ConfigError(f"{_where(node)}: expected 'key: value' lines, got {_value(node)!r}")
    hints = typing.get_type_hints(cls)
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(_value(key_node))
        if key not in known:
            raise ConfigError(f"{_where(key_node)}: unknown key {key!r}{nearest(key, list(known))}")
        if key in values:
            raise ConfigError(f"{_where(key_node)}: {key!r} is there twice")
        values[key] = _read(hints[key], value_node, key)
    for name, f in known.items():
        if name not in values and f.default is MISSING and f.default_factory is MISSING:
            raise ConfigError(f"{_where(node)}: {name!r} is missing")
    try:
        return cls(**values)
    except ValueError as error:
        raise ConfigError(f"{_where(node)}: {error}") from error


def _read(hint: Any, node: Node, key: str) -> Any:
    """The value of a node as what a field is declared to be."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):  # only ever X | None here
        inner = next(a for a in arguments if a is not type(None))
        return None if _value(node) is None else _read(inner, node, key)
    if is_dataclass(hint):
        return to_dataclass(typing.cast(type, hint), node)
    if origin is dict:
        if not isinstance(node, MappingNode):
            raise ConfigError(f"{_where(node)}: {key!r} must be 'name: value' pairs")
        pairs: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = str(_value(name_node))
            if name in pairs:
                raise ConfigError(f"{_where(name_node)}: {name!r} is in {key!r} twice")
            pairs[name] = _read(arguments[1], value_node, key)
        return pairs
    if origin is tuple:
        if not isinstance(node, SequenceNode):
            raise ConfigError(f"{_where(node)}: {key!r} must be a list, got {_value(node)!r}")
        length = len(node.value) if Ellipsis in arguments else len(arguments)
        if len(node.value) != length:
            raise ConfigError(f"{_where(node)}: {key!r} must be a list of {length}")
        return tuple(_read(arguments[0], item, key) for item in node.value)
    return _scalar(hint, node, key)


def _scalar(kind: type, node: Node, key: str) -> Any:
    value = _value(node)
    if kind is float and isinstance(value, int | str) and not isinstance(value, bool):
        try:
            return float(value)  # YAML reads 1e-4, which has no point, as text
        except ValueError:
            pass
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ConfigError(f"{_where(node)}: {key!r} must be {_WORDS[kind]}, got {value!r}")
    return value


def _put(root: MappingNode, override: str) -> None:
    key, sign, text = override.partition("=")
    if not sign or not key:
        raise ConfigError(f"{_COMMAND_LINE}: expected key=value, got {override!r}")
    origin = f"{_COMMAND_LINE}, {override!r}"
    *parents, last = key.split(".")
    node = root
    for name in parents:
        inner = _child(node, name)
        if not isinstance(inner, MappingNode):
            inner = typing.cast(MappingNode, _compose("{}", origin))
            _set(node, name, inner, origin)
        node = inner
    _set(node, last, _compose(text or "''", origin), origin)


def _child(node: MappingNode, name: str) -> Node | None:
    return next((value for key, value in node.value if _value(key) == name), None)


def _set(node: MappingNode, name: str, value: Node, origin: str) -> None:
    rest = [pair for pair in node.value if _value(pair[0]) != name]
    node.value = [*rest, (_compose(name, origin), value)]


def _compose(text: str, name: str) -> Node:
    loader = yaml.SafeLoader(text)
    loader.name = name
    try:
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} is not valid YAML: {' '.join(str(error).split())}") from error
    if node is None:
        raise ConfigError(f"{name} is empty")
    return node


def _value(node: Node) -> Any:
    loader = yaml.SafeLoader("")
    return loader.construct_object(node, deep=True)


def _where(node: Node) -> str:
    mark = node.start_mark
    at = "" if mark.name.startswith(_COMMAND_LINE) else f", line {mark.line + 1}"
    return f"{mark.name}{at}"
