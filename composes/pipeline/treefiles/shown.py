"""A resolved treefile for people: as a plain treefile of its own, and what differs between two."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from composes.pipeline.treefiles import checks
from composes.pipeline.treefiles.sizes import size_text
from composes.pipeline.treefiles.treefile import Tree

NESTED = ("units", "image", "image.iso", "container", "metadata", "remote", "tests", "policies", "gates")


def as_treefile(tree: Tree) -> dict[str, Any]:
    """A treefile without includes, conditions, groups and inheritance that resolves to exactly this tree."""
    plain = tree.as_json()
    content = {key: plain[key] for key in ("name", "suite", "ref", "summary", "recommends", "documentation")}
    for key in ("components", "packages", "exclude", "purge_packages", "debs", "kargs", "channels"):
        content[key.replace("_", "-")] = plain[key]
    content["ref"] = _ref(tree)
    content["repositories"] = [{key: value for key, value in each.items() if value} for each in plain["repositories"]]
    content["check-valid-until"] = tree.check_valid_until
    if tree.snapshot:
        content["snapshot"] = plain["snapshot"]
    content["units"] = {name: plain[name] for name in ("enable", "disable", "mask")}
    content["image"] = {**plain["image"], "size": size_text(tree.image.size)}
    content["container"] = plain["container"]
    content["metadata"] = dict(tree.metadata)
    content |= checks.as_treefile(tree.checks)
    if any(tree.remote):
        content["remote"] = {"name": tree.remote[0], "url": tree.remote[1]}
    if tree.customizations:
        content["customizations"] = plain["customizations"]
    return content | {"architectures": {tree.architecture: {}}, "variants": {tree.variant: {}}}


def _ref(tree: Tree) -> str:
    """The ref, with `{channel}` where it stands."""
    if len(tree.refs) < 2 or tree.refs[1] == f"{tree.channels[1]}/{tree.ref}":
        return tree.ref
    both = zip(tree.ref.split("/"), tree.refs[1].split("/"), strict=True)
    return "/".join(one if one == other else one.replace(tree.channels[0], "{channel}") for one, other in both)


def text(content: Mapping[str, Any], form: str) -> str:
    """The content as `yaml` or `json`, ending with a newline."""
    if form == "json":
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    return yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=100)


def differences(old: Tree, new: Tree) -> Iterator[str]:
    """What the new one has otherwise, a line each: `suite: trixie → forky`, `+ packages: jq`, `- kargs: quiet`."""
    before, after = _flat(old), _flat(new)
    for key in before | after:
        was, now = before.get(key), after.get(key)
        if isinstance(was, list) or isinstance(now, list):
            yield from (f"- {key}: {item}" for item in was or [] if item not in (now or []))
            yield from (f"+ {key}: {item}" for item in now or [] if item not in (was or []))
        elif was != now:
            yield f"{key}: {_word(was)} → {_word(now)}"


def _flat(tree: Tree) -> dict[str, Any]:
    """Its keys as a treefile writes them; lists stay lists, of lines."""
    plain = as_treefile(tree)
    lists = {name: [json.dumps(each, sort_keys=True) for each in plain.pop(name)] for name in ("repositories", "debs")}
    lists |= {f"customizations.{key}": [json.dumps(each, sort_keys=True) for each in _each(value)]
              for key, value in plain.pop("customizations", {}).items()}  # fmt: skip
    plain["image.iso"] = plain["image"].pop("iso")
    nested = {f"{above}.{key}": value for above in NESTED
              for key, value in plain.pop(above, {}).items()}  # fmt: skip
    del plain["architectures"], plain["variants"]
    return {"variant": tree.variant, "architecture": tree.architecture, **plain, **lists, **nested}


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _word(value: Any) -> str:
    return {None: "nothing", True: "yes", False: "no", "": "nothing"}.get(value, str(value))
