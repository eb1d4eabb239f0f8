"""Parts of treefiles put together: what is joined, taken away or replaced, and what counts only under a condition.

`upper` over `lower`: mappings merge, lists are joined (each item once, one with a name in place of the other of that
name), anything else is replaced. A key `remove-LIST` first takes items away from what the lower parts say in `LIST`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from composes.pipeline.treefiles.marks import place_of
from composes.pipeline.treefiles.mistakes import near
from composes.pipeline.treefiles.schema import LISTS, REMOVE
from debatomic.tools.errors import InputError

Part = dict[str, Any]
NOT_IN_A_PART = ("include", "variants", "architectures", "inherits", "name", "package-groups")
WORDS = ("suite", "variant", "architecture")
NAMED_BY = ("name", "path", "file", "mountpoint")


def merge(lower: Part, upper: Part) -> Part:
    """`upper` over `lower`; both stay as they are."""
    result = dict(lower)
    for key, value in upper.items():
        if key.startswith(REMOVE):
            listed = key.removeprefix(REMOVE)
            result[listed] = _without(result.get(listed) or [], value)
    for key, value in upper.items():
        result[key] = _over(result.get(key), value)
    return result


def _over(old: Any, value: Any) -> Any:
    if isinstance(old, dict) and (isinstance(value, dict) or value is None):
        return merge(old, value or {})
    if isinstance(old, list) and isinstance(value, list):
        names = {_name(item) for item in value}
        return [item for item in old if _name(item) not in names or item in value] + [
            item for item in value if item not in old
        ]
    return value


def _name(item: Any) -> Any:
    """What a list knows an item by: its name, path or file if it has one, else nothing."""
    return next((item[key] for key in NAMED_BY if key in item), id(item)) if isinstance(item, dict) else id(item)


def _without(items: Sequence[Any], patterns: Iterable[str]) -> list[Any]:
    """The items no pattern fits; one with a name is known by that."""
    wanted = list(patterns)
    return [item for item in items if not any(fnmatchcase(_word(item), pattern) for pattern in wanted)]


def _word(item: Any) -> str:
    return str(_name(item) if isinstance(item, dict) else item)


def for_architecture(part: Part, architecture: str) -> Part:
    """What a part says for one architecture, without the keys that are no part of a system."""
    common = {key: value for key, value in part.items() if key not in NOT_IN_A_PART}
    return merge(common, part.get("architectures", {}).get(architecture) or {})


def fulfilled(part: Part, words: Mapping[str, str]) -> Part:
    """The part with every condition that holds merged over it, in their order, and none left."""
    result = {key: value for key, value in part.items() if key != "conditions"}
    for condition in part.get("conditions", []):
        if _holds(condition, words):
            result = merge(result, {key: value for key, value in condition.items() if key not in ("if", "unless")})
    return result


def _holds(condition: Part, words: Mapping[str, str]) -> bool:
    return all(_fits(words[word], wanted) for word, wanted in (condition.get("if") or {}).items()) and not any(
        _fits(words[word], wanted) for word, wanted in (condition.get("unless") or {}).items()
    )


def _fits(word: str, wanted: str | Sequence[str]) -> bool:
    return word in ([wanted] if isinstance(wanted, str) else wanted)


def packages_of(groups: Sequence[str], known: Mapping[str, Part | None], exclude: Sequence[str]) -> list[str]:
    """The packages of these groups, but the excluded ones. Raises InputError for a group nobody defines."""
    found: list[str] = []
    for group in groups:
        if group not in known:
            place = f"{place_of(group)}: " if place_of(group) else ""
            raise InputError(f"{place}there is no package group {group}{near(group, known)}")
        found += _without((known[group] or {}).get("packages", []), exclude)
    return found


def check_removals(content: Part, mentioned: Mapping[str, set[str]]) -> None:
    """Raises InputError for a `remove-…` item that fits nothing any part says: a slip of the pen."""
    for key, pattern in _removals(content):
        said = mentioned.get(key.removeprefix(REMOVE), set())
        if not any(fnmatchcase(word, pattern) for word in said):
            place = f"{place_of(pattern)}: " if place_of(pattern) else ""
            raise InputError(f"{place}{key} names {pattern}, which no part adds{near(pattern, said)}")


def _removals(content: Any) -> Iterator[tuple[str, str]]:
    for key, value in content.items() if isinstance(content, dict) else ():
        if key.startswith(REMOVE):
            yield from ((key, pattern) for pattern in value)
    for value in _below(content):
        yield from _removals(value)


def mention(content: Any, mentioned: dict[str, set[str]]) -> None:
    """Note what the lists of a treefile hold, by key."""
    for key, value in content.items() if isinstance(content, dict) else ():
        if key in LISTS and isinstance(value, list):
            mentioned.setdefault(key, set()).update(map(_word, value))
    for value in _below(content):
        mention(value, mentioned)


def _below(content: Any) -> Iterator[Any]:
    return iter(content.values() if isinstance(content, dict) else content if isinstance(content, list) else ())
