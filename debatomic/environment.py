"""What the environment says, read once and checked: a wrong value stops the start with one sentence."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured


class BadSetting(ImproperlyConfigured):
    def __init__(self, name: str, value: str, wanted: str) -> None:
        super().__init__(f"{name}={value!r} is not usable: it must be {wanted}.")


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off"):
        return False
    raise BadSetting(name, value, "yes or no")


def number(name: str, default: float, *, least: float = 0, most: float = 1e9) -> float:
    value = text(name)
    try:
        result = float(value) if value else default
    except ValueError:
        raise BadSetting(name, value, f"a number from {least:g} to {most:g}") from None
    if not least <= result <= most:
        raise BadSetting(name, value, f"a number from {least:g} to {most:g}")
    return result


def port(name: str, default: int) -> int:
    value = number(name, default, least=1, most=65535)
    if value != int(value):
        raise BadSetting(name, text(name), "a whole number from 1 to 65535")
    return int(value)


def folder(name: str, default: Path) -> Path:
    value = text(name)
    path = Path(value) if value else default
    if not path.is_absolute():
        raise BadSetting(name, value, "an absolute path")
    if path.exists() and not path.is_dir():
        raise BadSetting(name, value, "a folder, not a file")
    return path


def private_folder(path: Path) -> None:
    """Make a folder that only its owner may enter; one that is there stays as its owner made it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def private_file(path: Path) -> None:
    """Make an empty file that only the folder's owner reads. Raises FileExistsError and other OSError."""
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        if os.geteuid() == 0:  # a command run as root must not shut out the user that the web runs as
            owner = path.parent.stat()
            os.fchown(fd, owner.st_uid, owner.st_gid)
    finally:
        os.close(fd)


def bucket(name: str) -> tuple[str, str] | None:
    """The bucket and the prefix (empty, or with a slash at its end) of s3://bucket/prefix; None for another value."""
    value = text(name)
    if "://" not in value:
        return None
    told = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9._/-]*))?", value)
    if told is None:
        raise BadSetting(name, value.split("@")[-1], "an absolute path, or s3://bucket/prefix")
    prefix = (told[2] or "").strip("/")
    return told[1], f"{prefix}/" if prefix else ""


def words(name: str, default: list[str]) -> list[str]:
    return [word for word in text(name).replace(",", " ").split() if word] or default


def address(name: str) -> str:
    """An http(s) address without a trailing slash, or nothing."""
    value = text(name).rstrip("/")
    if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc):
        raise BadSetting(name, value, "an address such as https://hub.example.org")
    return value


def database(name: str, default: str) -> dict[str, object]:
    value = text(name, default)
    if urlsplit(value).scheme not in ("sqlite", "postgres", "postgresql"):
        raise BadSetting(name, value.split("@")[-1], "postgresql://user@host/name or sqlite:////path")
    config: dict[str, object] = environ.Env.db_url_config(value)
    return config


def keep_private(config: dict[str, object]) -> None:
    """Make SQLite's file before SQLite does: nobody else reads it, nor the -wal and -shm beside it."""
    path = Path(str(config["NAME"]))
    if path.is_absolute():
        with suppress(OSError):  # it is there, or the database will tell what is wrong with its place
            private_file(path)


def secret(name: str, keeper: Path) -> str:
    """The secret from the environment, or one made at first start and kept in a file only its owner reads."""
    if value := text(name):
        return value
    try:
        return keeper.read_text().strip()
    except FileNotFoundError:
        made = secrets.token_urlsafe(50)
        mine = keeper.with_name(f".{keeper.name}.{os.getpid()}")
        private_file(mine)
        mine.write_text(made)
        try:
            os.link(mine, keeper)  # whoever is first wins; the others read it
        except FileExistsError:
            made = keeper.read_text().strip()
        mine.unlink()
        return made
