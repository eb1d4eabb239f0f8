"""What the keys of a chroot definition may say; whatever else they say is told with its place and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from chroots.engine.configuration.places import Value
from chroots.engine.spec import ChrootSpec, PluginUse, Repository
from debatomic.tools.errors import InputError

PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+/_-]*")
PART = re.compile(r"[a-z0-9][a-z0-9.+]*")  # of a chroot's name, which joins its parts with -
WORD = re.compile(r"(?:\{(?:suite|architecture)\}|[A-Za-z0-9.+/_-])+")  # may have placeholders
ADDRESS = re.compile(r"(?:(?:https?|file)://|\{mirror\})(?:\{(?:suite|architecture)\}|[^\s{}])*")
FINGERPRINT = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
VARIANTS = ("buildd", "minbase", "apt", "essential", "required", "important", "standard",
            "custom", "extract")  # fmt: skip


def text(value: Value, key: str) -> str:
    if not isinstance(value.content, str) or not PLAIN.fullmatch(value.content):
        raise InputError(f"{value.where}: {key} must be a word, not {value.plain!r}.")
    return value.content


def texts(value: Value, key: str) -> tuple[str, ...]:
    content = value.plain
    if not isinstance(content, list) or not all(isinstance(item, str) and item for item in content):
        raise InputError(f"{value.where}: {key} must be a list of words, for example [main, contrib].")
    return tuple(content)


def path(value: Value, key: str) -> Path:
    if not isinstance(value.content, str) or not value.content.startswith("/"):
        raise InputError(f"{value.where}: {key} must be the path of a file, beginning with /.")
    return Path(value.content)


def _variant(value: Value, key: str) -> str:
    if value.content not in VARIANTS:
        raise InputError(f"{value.where}: {key} must be one of {', '.join(VARIANTS)}, not {value.plain!r}.")
    return str(value.content)


def _mirror(value: Value, key: str) -> str:
    if not isinstance(value.content, str) or not re.fullmatch(r"((https?|file)://\S+)?", value.content):
        raise InputError(f"{value.where}: {key} must be an address that begins with http://, https:// or file:///.")
    return value.content.rstrip("/")


def _seconds(value: Value, key: str) -> int:
    if type(value.content) is not int or value.content < 0:
        raise InputError(f"{value.where}: {key} must be a number of seconds, not {value.plain!r}.")
    return value.content


def _addresses(value: Value, key: str) -> tuple[str, ...]:
    found = texts(value, key)
    for address in found:
        if not ADDRESS.fullmatch(address):
            raise InputError(
                f"{value.where}: {key} must be addresses that begin with http://, https://, file:/// or {{mirror}}, "
                "the chroot's own; {suite} and {architecture} can be in them."
            )
        if "@" in urlsplit(address).netloc:
            raise InputError(f"{value.where}: {key} must not hold a name or password: definitions are read by all.",
                             hint="Write them into a file that only root reads and name that with secret.")  # fmt: skip
    if not found:
        raise InputError(f"{value.where}: {key} must name at least one.")
    return tuple(address.rstrip("/") for address in found)


def _words(value: Value, key: str) -> tuple[str, ...]:
    found = texts(value, key)
    if not found or not all(WORD.fullmatch(word) for word in found):
        raise InputError(f"{value.where}: {key} must be at least one word, for example [main]; {{suite}} and "
                         "{architecture} can be in it.")  # fmt: skip
    return found


def _key(value: Value, key: str) -> str:
    if not isinstance(value.content, str) or not value.content.startswith(("/", "https://")):
        raise InputError(f"{value.where}: {key} must be the path of a file with public keys, beginning with /, or an "
                         "address that begins with https://.")  # fmt: skip
    return value.content


def _fingerprint(value: Value, key: str) -> str:
    compact = str(value.content).replace(" ", "").upper()
    if not FINGERPRINT.fullmatch(compact):
        raise InputError(f"{value.where}: {key} must be the 40 (or 64) hexadecimal digits of a key, in quotes.")
    return compact


def repository(value: Value, key: str) -> Repository:
    """One entry of `repositories`."""
    if not isinstance(value.content, dict):
        raise InputError(f"{value.where}: an entry of {key} is a list of keys: {', '.join(REPOSITORY_KEYS)}.")
    known(value.content, REPOSITORY_KEYS)
    made = {name: REPOSITORY_KEYS[name](item, name) for name, item in value.content.items()}
    for name in ("name", "uris", "suites"):
        if name not in made:
            raise InputError(f"{value.where}: the repository has no key {name}.")
    if made.get("key", "").startswith("https://") and "fingerprint" not in made:
        raise InputError(f"{value.where}: a key that is fetched needs its fingerprint.",
                         hint="Ask the repository's owner for it, another way than that address.")  # fmt: skip
    if "secret" in made and any("{mirror}" in uri for uri in made["uris"]):
        raise InputError(f"{value.where}: a repository with a secret names its own address, not {{mirror}}.")
    return Repository(**made)


def _repositories(value: Value, key: str) -> tuple[Repository, ...]:
    if not isinstance(value.content, list):
        raise InputError(f"{value.where}: {key} must be a list; each entry has {', '.join(REPOSITORY_KEYS)}.")
    return tuple(repository(item, key) for item in value.content)


def plugins(value: Value, key: str) -> tuple[PluginUse, ...]:
    """A list of plugins, by name or with options."""
    if not isinstance(value.content, list):
        raise InputError(
            f"{value.where}: {key} must be a list, for example [lintian, {{name: mounts, folders: {{}}}}]."
        )
    return tuple(_plugin(item, key) for item in value.content)


def _plugin(value: Value, key: str) -> PluginUse:
    if not isinstance(value.content, dict):
        return PluginUse(name=text(value, key))
    given = dict(value.content)
    if "name" not in given:
        raise InputError(f"{value.where}: the plugin has no key name.")
    name = text(given.pop("name"), "name")
    required = given.pop("required").plain if "required" in given else None
    if required not in (True, False, None):
        raise InputError(f"{value.where}: required must be true or false.")
    return PluginUse(name=name, required=required, options={word: item.plain for word, item in given.items()})


Converters = Mapping[str, Callable[[Value, str], Any]]
REPOSITORY_KEYS: Converters = {
    "name": text, "uris": _addresses, "suites": _words, "components": _words, "key": _key,
    "fingerprint": _fingerprint, "secret": path,
}  # fmt: skip
KEYS: Converters = {
    "suite": text, "architecture": text, "variant": _variant, "mirror": _mirror, "components": texts,
    "packages": texts, "bootstrap_options": texts, "keyring": path, "refresh_after": _seconds,
    "repositories": _repositories, "plugins": plugins,
}  # fmt: skip
LISTS = ("components", "packages", "bootstrap_options", "repositories", "plugins")
DEFAULTS: dict[str, Any] = {each.name: each.default for each in fields(ChrootSpec)}


def known(keys: Mapping[str, Value], allowed: Iterable[str]) -> None:
    """Refuse a key that is not allowed where it stands."""
    allowed = list(allowed)
    for key, value in keys.items():
        if key not in allowed:
            near = get_close_matches(key, allowed, n=1)
            meant = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(allowed)}."
            raise InputError(f"{value.where}: the key {key} is unknown; {meant}")


def converted(key: str, said: Iterable[Value]) -> Any:
    """What a key means when several places add to it, lowest first."""
    found = [KEYS[key](value, key) for value in said]
    if key not in LISTS:
        return found[-1]
    items = [item for part in found for item in part]
    if key in ("repositories", "plugins"):
        return tuple({item.name: item for item in items}.values())  # the later one of a name counts
    return tuple(dict.fromkeys(items))


def filled(spec: ChrootSpec) -> tuple[Repository, ...]:
    """The repositories with the chroot's own suite and architecture for the placeholders."""
    return tuple(each.filled(suite=spec.suite, architecture=spec.architecture) for each in spec.repositories)
