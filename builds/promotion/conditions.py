"""Whether a build meets the conditions of a rule: pure functions over what is known of it, which tell what they saw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from debian.debian_support import Version

from builds.promotion.evidence import Result
from builds.promotion.policy import Policy, Rule, duration, words

PASSED, FAILED, WARNED, SKIPPED = "passed", "failed", "warned", "skipped"


@dataclass(frozen=True, kw_only=True)
class Person:
    name: str = ""
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a build that is to go from one tag to another; times are None where it is not known."""

    package: str
    version: str
    state: str
    submitter: Person
    promoter: Person
    in_tag: timedelta | None = None
    built: timedelta | None = None
    tags: frozenset[str] = frozenset()
    results: Mapping[str, Result] = field(default_factory=dict)
    signatures: frozenset[str] = frozenset()
    there: tuple[str, ...] = ()  # versions of the source package in the tag it is to go to


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One condition: what was wanted, what was found, and whether that is good."""

    name: str
    wanted: str
    found: str
    met: bool


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one rule says of one step of one build: passed, failed, warned or skipped (not asked)."""

    rule: str
    verdict: str
    sentence: str
    level: str
    values: tuple[Seen, ...] = ()


def judge(policy: Policy, facts: Facts, *, source: str, to: str) -> list[Verdict]:
    """What every rule of the policy says, in its order."""
    return [_judged(rule, facts, source, to) for rule in policy.rules]


def _judged(rule: Rule, facts: Facts, source: str, to: str) -> Verdict:
    if not rule.concerns(facts.package, source, to):
        why = "It is off." if rule.level == "off" else "It is not for this step or package."
        return Verdict(rule=rule.name, verdict=SKIPPED, sentence=why, level=rule.level)
    seen = tuple(look(rule.conditions, facts))
    unmet = [each for each in seen if not each.met]
    if not unmet:
        return Verdict(rule=rule.name, verdict=PASSED, sentence="", level=rule.level, values=seen)
    said = "; ".join(f"{each.name} must be {each.wanted}, is {each.found}" for each in unmet)
    verdict = FAILED if rule.level == "block" else WARNED
    sentence = f"{said}. {rule.hint}".strip()
    return Verdict(rule=rule.name, verdict=verdict, sentence=sentence, level=rule.level, values=seen)


def look(conditions: Mapping[str, Any], facts: Facts) -> Iterator[Seen]:
    """Every condition beside what is the case."""
    for name, wanted in conditions.items():
        yield from LOOKS[str(name)](wanted, facts)


def _list(names: Any) -> str:
    return ", ".join(map(str, names)) or "none"


def _one_of(values: tuple[str, ...]) -> str:
    return " or ".join(values)


def _state(wanted: Any, facts: Facts) -> Iterator[Seen]:
    yield Seen(name="state", wanted=_one_of(words(wanted)), found=facts.state, met=facts.state in words(wanted))


def _tests(wanted: Any, facts: Facts) -> Iterator[Seen]:
    for name, verdicts in wanted.items():
        result = facts.results.get(str(name))
        found = "not known" if result is None else f"{result.verdict} ({result.sentence})".replace(" ()", "")
        met = result is not None and result.verdict in words(verdicts)
        yield Seen(name=f"test {name}", wanted=_one_of(words(verdicts)), found=found, met=met)


def _signatures(wanted: Any, facts: Facts) -> Iterator[Seen]:
    keys = tuple(each.upper().replace(" ", "") for each in words(wanted))
    yield Seen(name="signature", wanted=f"of {_one_of(keys)}", found=_list(sorted(facts.signatures)),
               met=bool(facts.signatures.intersection(keys)))  # fmt: skip


def _person(word: str, person: Person, wanted: Mapping[str, Any]) -> Iterator[Seen]:
    if "name" in wanted:
        names = words(wanted["name"])
        yield Seen(name=word, wanted=_one_of(names), found=person.name or "nobody", met=person.name in names)
    if "not" in wanted:
        names = words(wanted["not"])
        yield Seen(name=word, wanted=f"not {_one_of(names)}", found=person.name or "nobody",
                   met=bool(person.name) and person.name not in names)  # fmt: skip
    if "role" in wanted:
        roles = words(wanted["role"])
        yield Seen(name=f"role of {word}", wanted=_one_of(roles), found=_list(sorted(person.roles)),
                   met=bool(person.roles.intersection(roles)))  # fmt: skip


def _submitter(wanted: Any, facts: Facts) -> Iterator[Seen]:
    yield from _person("submitter", facts.submitter, wanted)


def _promoter(wanted: Any, facts: Facts) -> Iterator[Seen]:
    yield from _person("promoter", facts.promoter, wanted)
    if "another" in wanted:
        same = facts.promoter.name == facts.submitter.name
        text = "somebody else than the submitter" if wanted["another"] else "the submitter"
        yield Seen(name="promoter", wanted=text, found=facts.promoter.name or "nobody",
                   met=bool(facts.promoter.name) and same != wanted["another"])  # fmt: skip


def _age(wanted: Any, facts: Facts) -> Iterator[Seen]:
    for key, name, age in (("in-tag", "time in the tag", facts.in_tag), ("built", "time since the build", facts.built)):
        if key in wanted:
            met = age is not None and age >= duration(wanted[key])
            yield Seen(name=name, wanted=f"at least {wanted[key]}", found=shown(age), met=met)


def shown(age: timedelta | None) -> str:
    """A time for people: 2 days, 5 hours."""
    if age is None:
        return "not known"
    minutes = int(age.total_seconds() // 60)
    parts = ((minutes // 1440, "day"), (minutes // 60 % 24, "hour"), (minutes % 60, "minute"))
    named = [f"{number} {unit}{'s' * (number != 1)}" for number, unit in parts if number]
    return ", ".join(named[:2]) or "less than a minute"


def _tag(wanted: Any, facts: Facts) -> Iterator[Seen]:
    found = _list(sorted(facts.tags))
    if "in" in wanted:
        met = bool(facts.tags.intersection(words(wanted["in"])))
        yield Seen(name="tag", wanted=_one_of(words(wanted["in"])), found=found, met=met)
    if "not-in" in wanted:
        met = not facts.tags.intersection(words(wanted["not-in"]))
        yield Seen(name="tag", wanted=f"not {_one_of(words(wanted['not-in']))}", found=found, met=met)


def _version(wanted: Any, facts: Facts) -> Iterator[Seen]:
    mine = Version(facts.version)
    met = all(mine > Version(each) if wanted == "newer" else mine >= Version(each) for each in facts.there)
    text = f"{'newer' if wanted == 'newer' else 'not older'} than {_list(facts.there)} there"
    yield Seen(name="version", wanted=text, found=facts.version, met=met)


def _any(wanted: Any, facts: Facts) -> Iterator[Seen]:
    """The first group that is met; where none is, all that is not, as one."""
    unmet = []
    for group in wanted:
        seen = list(look(group, facts))
        if all(each.met for each in seen):
            yield from seen
            return
        unmet += [each for each in seen if not each.met]
    yield Seen(name="one of these", wanted=" or ".join(f"{each.name} {each.wanted}" for each in unmet),
               found="; ".join(f"{each.name} {each.found}" for each in unmet), met=False)  # fmt: skip


def _not(wanted: Any, facts: Facts) -> Iterator[Seen]:
    seen = list(look(wanted, facts))
    both = " and ".join(f"{each.name} {each.wanted}" for each in seen)
    yield Seen(name="none of these", wanted=f"not ({both})",
               found="; ".join(f"{each.name} {each.found}" for each in seen),
               met=not all(each.met for each in seen))  # fmt: skip


LOOKS: Mapping[str, Callable[[Any, Facts], Iterator[Seen]]] = {
    "state": _state, "tests": _tests, "signatures": _signatures, "submitter": _submitter, "promoter": _promoter,
    "age": _age, "tag": _tag, "version": _version, "any": _any, "not": _not,
}  # fmt: skip
