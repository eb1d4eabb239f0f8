"""Promotion: what policies may say, what rules say of builds, and what happens at the click."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from builds.models import Build, PromotionPolicy, Tag, TagEntry, Target
from builds.promotion import around, policies, promoting
from builds.promotion.conditions import Facts, Person, judge, shown
from builds.promotion.evidence import Result
from builds.promotion.policy import Policy, read
from builds.tagging import changing
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts.models import State, Task
from tests import scene

PATH = "path: [unstable, testing, stable]\n"
KEY = "0123456789ABCDEF0123456789ABCDEF01234567"
FACTS = Facts(
    package="figlet", version="2.0-1", state="completed", submitter=Person(name="alice", roles=frozenset({"packager"})),
    promoter=Person(name="bob", roles=frozenset({"release-manager"})), in_tag=timedelta(days=3),
    built=timedelta(days=4), tags=frozenset({"unstable"}), results={"lintian": Result("warned", "3 warnings")},
    signatures=frozenset({KEY}), there=("1.9-1",),
)  # fmt: skip


def policy(rule: str) -> Policy:
    return read(f"{PATH}rules:\n  the rule: {rule}\n", tags={"unstable", "testing", "stable", "held"})


@pytest.mark.parametrize(("rule", "verdict", "sentence"), [
    ("{state: completed}", "passed", ""),
    ("{state: [failed, canceled]}", "failed", "state must be failed or canceled, is completed."),
    ("{tests: {lintian: [passed, warned]}}", "passed", ""),
    ("{tests: {lintian: passed}}", "failed", "test lintian must be passed, is warned (3 warnings)."),
    ("{tests: {piuparts: passed}}", "failed", "test piuparts must be passed, is not known."),
    (f"{{signatures: {KEY.lower()}}}", "passed", ""),
    (f"{{signatures: [{'F' * 40}]}}", "failed", f"signature must be of {'F' * 40}, is {KEY}."),
    ("{submitter: {name: [alice, carol]}}", "passed", ""),
    ("{submitter: {role: administrator}}", "failed", "role of submitter must be administrator, is packager."),
    ("{submitter: {not: alice}}", "failed", "submitter must be not alice, is alice."),
    ("{promoter: {another: yes}}", "passed", ""),
    ("{promoter: {another: no}}", "failed", "promoter must be the submitter, is bob."),
    ("{age: {in-tag: 3 days}}", "passed", ""),
    ("{age: {in-tag: 1 week, built: 2 hours}}", "failed", "time in the tag must be at least 1 week, is 3 days."),
    ("{tag: {in: [unstable, held]}}", "passed", ""),
    ("{tag: {not-in: unstable}}", "failed", "tag must be not unstable, is unstable."),
    ("{version: newer}", "passed", ""),
    ("{any: [{state: failed}, {age: {built: 1 day}}]}", "passed", ""),
    ("{any: [{state: failed}, {tag: {in: held}}]}", "failed",
     "one of these must be state failed or tag held, is state completed; tag unstable."),
    ("{not: {tests: {lintian: warned}}}", "failed",
     "none of these must be not (test lintian warned), is test lintian warned (3 warnings)."),
    ("{state: failed, level: warn, hint: Look.}", "warned", "state must be failed, is completed. Look."),
    ("{state: failed, level: off}", "skipped", "It is off."),
    ("{state: failed, to: stable}", "skipped", "It is not for this step or package."),
    ("{state: failed, packages: 'linux*'}", "skipped", "It is not for this step or package."),
    ("{state: failed, from: unstable, packages: ['fig*']}", "failed", "state must be failed, is completed."),
])  # fmt: skip
def test_rules_say_what_they_saw(rule: str, verdict: str, sentence: str) -> None:
    (said,) = judge(policy(rule), FACTS, source="unstable", to="testing")
    assert (said.verdict, said.sentence) == (verdict, sentence)


@pytest.mark.parametrize(("there", "wanted", "met"), [
    ((), "newer", True), (("2.0-1",), "newer", False), (("2.0-1",), "not-older", True), (("2.0-1~",), "newer", True),
    (("1:1.0",), "not-older", False), (("2.0-0", "2.0-2"), "newer", False),
])  # fmt: skip
def test_versions_are_compared_as_debian_does(there: tuple[str, ...], wanted: str, met: bool) -> None:
    facts = Facts(package="a", version="2.0-1", state="completed", submitter=Person(), promoter=Person(), there=there)
    (said,) = judge(policy(f"{{version: {wanted}}}"), facts, source="unstable", to="testing")
    assert said.values[0].met is met


@pytest.mark.parametrize(("text", "sentence"), [
    ("path: [unstable, testing]\nrules:\n  a:\n    stat: completed\n",
     "policy.yaml:4: unknown key stat; did you mean state"),
    ("path: [unstable, tesing]\nrules: {}\n", "policy.yaml:1: there is no tag tesing; did you mean testing?"),
    ("path: [unstable]\nrules: {}\n", "path"),
    ("path: [unstable, testing, unstable]\nrules: {}\n", "policy.yaml:1: the tag unstable is on the path twice."),
    (f"{PATH}rule: {{}}\n", "policy.yaml:2: unknown key rule; did you mean rules"),
    (f"{PATH}", "lacks the key rules"),
    (f"{PATH}rules:\n  a:\n    state: complete\n", "policy.yaml:4: there is no state complete; did you mean c"),
    (f"{PATH}rules:\n  a:\n    age: {{in-tag: 5 dayz}}\n", "in-tag: 5 dayz is not a time such as"),
    (f"{PATH}rules:\n  a:\n    age: {{in_tag: 5 days}}\n", "policy.yaml:4: unknown key in_tag; did you mean in-tag?"),
    (f"{PATH}rules:\n  a:\n    to: unstable\n    state: completed\n", "policy.yaml:4: there is no step to unstable"),
    (f"{PATH}rules:\n  a: {{level: blocks, state: failed}}\n", "level can be block, warn or off, not blocks"),
    (f"{PATH}rules:\n  a: {{hint: x}}\n", "policy.yaml:3: the rule a has no condition."),
    (f"{PATH}rules:\n  a: {{tests: {{lintian: pass}}}}\n", "there is no verdict pass; did you mean passed?"),
    (f"{PATH}rules:\n  a: {{promoter: {{role: relase-manager}}}}\n", "no role relase-manager; did you mean rel"),
    (f"{PATH}rules:\n  a: {{signatures: [12]}}\n", "must be text, not a number"),
    (f"{PATH}rules:\n  a: {{signatures: '12'}}\n", "policy.yaml:3: “12” is no fingerprint"),
    (f"{PATH}rules:\n  a: {{any: [{{tag: {{in: sta}}}}]}}\n", "there is no tag sta"),
    (f"{PATH}rules: [\n", "policy.yaml:3: this is not valid YAML"),
    ("", "the policy must be a mapping, not empty"),
])  # fmt: skip
def test_mistakes_in_a_policy_are_told_with_their_line(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as told:
        read(text, tags={"unstable", "testing", "stable"})
    assert sentence in told.value.sentence and told.value.field == "text"


def test_conditions_in_conditions_end_somewhere() -> None:
    with pytest.raises(InputError, match="nested too deeply"):
        policy("{" + "not: {" * 8 + "state: failed" + "}" * 9)


@pytest.mark.parametrize(("age", "text"), [
    (None, "not known"), (timedelta(), "less than a minute"), (timedelta(days=1, hours=2, minutes=3), "1 day, 2 hours"),
])  # fmt: skip
def test_ages_are_told(age: timedelta | None, text: str) -> None:
    assert shown(age) == text


# With a database


RULES = f"""{PATH}rules:
  aged:
    to: testing
    age: {{in-tag: 2 days}}
  four eyes:
    to: stable
    promoter: {{another: yes}}
"""


@pytest.fixture
def world_of_tags(target: Target, users: dict[str, User]) -> PromotionPolicy:
    """A path of three tags with a policy."""
    for name in ("unstable", "testing", "stable"):
        Tag.objects.create(name=name)
    return policies.create("debian", RULES, message="begin", by=users["release-manager"]).policy


def built(target: Target, by: User, tag: str, *, source: str = "figlet", days: float = 5) -> Build:
    """A completed build that has been in the tag for so many days."""
    build = scene.build(by, target, source=source)
    Task.objects.filter(pk=build.task_id).update(state=State.COMPLETED, finished_at=timezone.now())
    changing.add(Tag.objects.get(name=tag), Build.objects.get(pk=build.pk), by=by)
    TagEntry.objects.filter(build=build).update(began_at=timezone.now() - timedelta(days=days))
    return Build.objects.get(pk=build.pk)


def inside(tag: str) -> list[int]:
    return list(TagEntry.objects.at().filter(tag__name=tag).values_list("build_id", flat=True))


def test_what_the_policy_lets_pass_goes_and_the_rest_stays(
    world_of_tags: PromotionPolicy, target: Target, users: dict[str, User]
) -> None:
    packager = users["packager"]
    old, young = built(target, packager, "unstable"), built(target, packager, "unstable", source="jq", days=1)
    found = promoting.promote(world_of_tags, [old, young], source="unstable", by=packager, revision=1)
    assert [each.can_move for each in found] == [True, False]
    assert found[1].why_not == "aged: time in the tag must be at least 2 days, is 1 day."
    assert (inside("unstable"), inside("testing")) == ([young.pk], [old.pk])
    assert TagEntry.objects.at().get(build=old).reason == "debian r1"
    (noted,) = AuditEntry.objects.filter(act="tag.promote")
    assert (noted.user, noted.thing, noted.details["policy"]) == (packager, "testing", "debian r1")
    (own,) = promoting.promote(world_of_tags, [old], source="testing", by=packager, revision=1)
    assert own.why_not == "four eyes: promoter must be somebody else than the submitter, is packager."


def test_overriding_needs_the_right_and_a_reason_and_is_written_down(
    world_of_tags: PromotionPolicy, target: Target, users: dict[str, User]
) -> None:
    young = built(target, users["packager"], "unstable", days=1)
    asked: dict[str, Any] = {"source": "unstable", "revision": 1, "override": True}
    with pytest.raises(PermissionDenied):
        promoting.promote(world_of_tags, [young], by=users["packager"], reason="security fix", **asked)
    manager = users["release-manager"]
    with pytest.raises(InputError, match="needs a reason") as told:
        promoting.promote(world_of_tags, [young], by=manager, reason="  x  ", **asked)
    assert told.value.field == "reason"
    promoting.promote(world_of_tags, [young], by=manager, reason="security fix", **asked)
    assert inside("testing") == [young.pk]
    noted = AuditEntry.objects.get(act="tag.override")
    assert (noted.details["rules"], noted.details["reason"]) == (["aged"], "security fix")
    assert TagEntry.objects.at().get(build=young).reason == "debian r1, overriding aged: security fix"


def test_nobody_overrides_what_a_tag_refuses(
    world_of_tags: PromotionPolicy, target: Target, users: dict[str, User]
) -> None:
    build, testing = built(target, users["packager"], "unstable"), Tag.objects.get(name="testing")
    manager = users["release-manager"]
    asked: dict[str, Any] = {"source": "unstable", "by": manager, "revision": 1, "override": True, "reason": "because"}
    changing.block(testing, "figlet", by=manager)
    assert promoting.promote(world_of_tags, [build], **asked)[0].obstacles == ("figlet is blocked in testing.",)
    changing.unblock(testing, "figlet", by=manager)
    changing.lock(testing, locked=True, by=manager)
    assert promoting.promote(world_of_tags, [build], **asked)[0].obstacles == ("testing is locked.",)
    assert (inside("unstable"), inside("testing")) == ([build.pk], [])


def test_a_copy_stays_where_it_was(world_of_tags: PromotionPolicy, target: Target, users: dict[str, User]) -> None:
    manager = users["release-manager"]
    policies.revise(world_of_tags, f"mode: copy\n{RULES}", base=1, message="", by=manager)
    build = built(target, users["packager"], "unstable")
    promoting.promote(world_of_tags, [build], source="unstable", by=manager, revision=2)
    assert (inside("unstable"), inside("testing")) == ([build.pk], [build.pk])
    (again,) = promoting.promote(world_of_tags, [build], source="unstable", by=manager, revision=2)
    assert again.obstacles == ("It is in testing already.",)


def test_a_policy_that_changed_meanwhile_is_looked_at_again(
    world_of_tags: PromotionPolicy, target: Target, users: dict[str, User]
) -> None:
    manager, build = users["release-manager"], built(target, users["packager"], "unstable")
    second = policies.revise(world_of_tags, RULES.replace("2 days", "1 day"), base=1, message="faster", by=manager)
    assert (second.number, second.message, second.created_by) == (2, "faster", manager)
    assert "+    age: {in-tag: 1 day}" in policies.differences(second.previous, second)
    with pytest.raises(InputError, match="at revision 2 meanwhile, not 1"):
        promoting.promote(world_of_tags, [build], source="unstable", by=manager, revision=1)
    with pytest.raises(InputError, match="saved revision 2 meanwhile"):
        policies.revise(world_of_tags, RULES, base=1, message="", by=manager)
    policies.switch(world_of_tags, enabled=False, by=manager)
    with pytest.raises(InputError, match="is disabled"):
        promoting.promote(world_of_tags, [build], source="unstable", by=manager, revision=2)


def test_by_hand_into_a_tag_of_a_policy_only_with_a_reason(
    world_of_tags: PromotionPolicy, target: Target, users: dict[str, User]
) -> None:
    stable, build = Tag.objects.get(name="stable"), built(target, users["packager"], "unstable")
    around.check(Tag.objects.get(name="unstable"), build, by=users["packager"], reason="")
    around.check_parents(Tag.objects.get(name="unstable"), by=users["packager"])
    with pytest.raises(PermissionDenied):
        around.check_parents(stable, by=users["packager"])
    with pytest.raises(PermissionDenied):
        around.check(stable, build, by=users["packager"], reason="a good one")
    with pytest.raises(InputError, match="by the policy debian"):
        around.check(stable, build, by=users["release-manager"], reason="")
    around.check(stable, build, by=users["release-manager"], reason="a good one")


def test_what_a_check_blocks_is_tagged_by_hand_only_with_a_reason(
    world_of_tags: PromotionPolicy, target: Target, users: dict[str, User]
) -> None:
    unstable, build = Tag.objects.get(name="unstable"), built(target, users["packager"], "unstable")
    build.checks.create(check_name="lintian", level="blocks", architecture="amd64", verdict="fail")
    with pytest.raises(PermissionDenied):
        around.check(unstable, build, by=users["packager"], reason="a good one")
    with pytest.raises(InputError, match="holds it back"):
        around.check(unstable, build, by=users["release-manager"], reason="")
    around.check(unstable, build, by=users["release-manager"], reason="a good one")


def test_a_check_counts_when_it_passed_everywhere(
    world_of_tags: PromotionPolicy, target: Target, users: dict[str, User]
) -> None:
    manager = users["release-manager"]
    text = f"{PATH}rules:\n  clean:\n    tests: {{lintian: passed}}\n"
    content = policies.revise(world_of_tags, text, base=1, message="", by=manager).content
    verdicts = {"figlet": ("pass", "pass"), "jq": ("pass", "waiting"), "dash": ("fail", "pass"), "cowsay": ()}
    builds = [built(target, users["packager"], "unstable", source=name) for name in verdicts]
    for build in builds:
        for architecture, verdict in zip(("amd64", "arm64"), verdicts[build.source], strict=False):
            build.checks.create(check_name="lintian", level="informs", architecture=architecture, verdict=verdict)
    found = promoting.preview(content, builds, by=manager, source=Tag.objects.get(name="unstable"),
                              to=Tag.objects.get(name="testing"))  # fmt: skip
    assert [each.can_move for each in found] == [True, False, False, False]
