"""Retention by the rules of tags: what goes, when, and that nothing goes which something refers to."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import example, given
from hypothesis import settings as tried
from hypothesis import strategies as some
from hypothesis.extra.django import TestCase

from builds.keeping import leaving, rules
from builds.keeping.rules import Entry, Rules, superfluous
from builds.models import BinaryPackage, Build, Holding, Repository, Snapshot, Tag, TagEntry, Target
from builds.tagging import changing, content, pruning, repositories
from composes.models import Compose
from composes.releases import contained
from debatomic.access.models import AuditEntry, User
from debatomic.tools.errors import InputError
from hosts import hub
from hosts.kept import retention, store
from hosts.models import Artifact, Channel, State, Task
from tests import scene

NOW = timezone.now()
DAY = timedelta(days=1)


# The rules of one tag

ENTRIES = some.lists(some.tuples(some.sampled_from(["linux", "jq", "dash"]), some.integers(0, 30)), max_size=12)
RULES = some.builds(
    Rules, versions=some.integers(0, 3), days=some.integers(0, 20), least=some.integers(0, 3),
    keep=some.sampled_from([(), ("linux",), ("j*", "d*")]),
)  # fmt: skip


@given(RULES, ENTRIES)
def test_the_rules_end_what_they_say_and_nothing_else(wanted: Rules, rows: list[tuple[str, int]]) -> None:
    entries = [Entry(pk, source, NOW - age * DAY) for pk, (source, age) in enumerate(rows, 1)]
    found = superfluous(wanted, entries, NOW)
    for entry in entries:
        newer = sum(1 for each in entries if each.source == entry.source and each.pk > entry.pk)
        many = bool(wanted.versions) and newer >= wanted.versions
        old = bool(wanted.days) and newer >= wanted.least and NOW - entry.began_at > wanted.days * DAY
        assert (entry.pk in found) == ((many or old) and not wanted.protect(entry.source))


def completed(by: User, target: Target, source: str = "figlet") -> Build:
    """A completed build with one package, which no tag has."""
    made = scene.build(by, target, source=source)
    Task.objects.filter(pk__in=[made.task_id, *made.task.children.values_list("pk", flat=True)]).update(
        state=State.COMPLETED, finished_at=NOW)  # fmt: skip
    sha256, size = store.add(io.BytesIO(f"{source} {made.pk}".encode()))
    artifact = Artifact.objects.create(task=made.task.children.get(), name=f"{source}_1_amd64.deb", kind="binary",
                                       sha256=sha256, size=size)  # fmt: skip
    BinaryPackage.objects.create(build=made, name=source, version="1", architecture="amd64", artifact=artifact)
    return Build.objects.get(pk=made.pk)


def left(tag: Tag, build: Build, days: int) -> None:
    """It was in the tag, and left so many days ago."""
    tag.entries.create(build=build, began_at=NOW - 400 * DAY, ended_at=NOW - days * DAY)


def snapshot(repository: Repository, number: int, *, age: int, state: str = State.COMPLETED) -> Snapshot:
    task = hub.submit("repository", "r", request={}, by=None, channel=Channel.objects.get(name="default"))
    Task.objects.filter(pk=task.pk).update(state=state, finished_at=NOW)
    at = NOW - age * DAY
    made = repository.snapshots.create(name=f"20260101T{number:06}Z", task=task,
                                       published_at=at if state == State.COMPLETED else None)  # fmt: skip
    if state == State.COMPLETED:
        Repository.objects.filter(pk=repository.pk).update(current=made)
    return made


def test_a_tag_lets_go_what_its_rules_say(target: Target, somebody: User) -> None:
    tag = target.tag
    Tag.objects.filter(pk=tag.pk).update(versions=0, days=10, keep="jq")
    for source in ("figlet", "figlet", "jq", "jq"):
        changing.take(Tag.objects.get(pk=tag.pk), completed(somebody, target, source))
    TagEntry.objects.update(began_at=NOW - 11 * DAY)
    revision = Tag.objects.get(pk=tag.pk).revision
    assert list(rules.plan(tag, rules.rules_of(Tag.objects.get(pk=tag.pk))).values()) == ["older than 10 days"]
    assert TagEntry.objects.at().count() == 4
    assert leaving.sweep(NOW) == 1
    assert sorted(TagEntry.objects.at().values_list("build__source", flat=True)) == ["figlet", "jq", "jq"]
    assert Tag.objects.get(pk=tag.pk).revision == revision + 1, "its repository follows"
    assert leaving.sweep(NOW) == 0


def test_a_build_is_marked_can_be_kept_and_goes(target: Target, somebody: User, settings: Any) -> None:
    Tag.objects.update(discard_days=30)
    going, staying, young = (completed(somebody, target, name) for name in ("going", "staying", "young"))
    for build, days in ((going, 31), (staying, 31), (young, 29)):
        left(target.tag, build, days)
    assert leaving.sweep(NOW) == 2
    assert Build.objects.get(pk=going.pk).leaves_at == NOW + settings.KEEP_UNDO_DAYS * DAY
    assert leaving.sweep(NOW + 6 * DAY) == 1, "young is marked"
    leaving.keep_build(staying, by=somebody)
    Build.objects.filter(leaves_at__isnull=False).exclude(pk=young.pk).update(leaves_at=NOW - DAY)
    assert leaving.sweep(NOW) >= 1
    assert sorted(Build.objects.values_list("source", flat=True)) == ["staying", "young"]
    assert AuditEntry.objects.get(act="retention.builds").details["builds"] == [f"going 2.2.5-3 ({going.pk})"]
    assert not Artifact.objects.filter(name__startswith="going").exists()


def test_what_is_tagged_again_is_marked_no_more(target: Target, somebody: User) -> None:
    Tag.objects.update(discard_days=1)
    build = completed(somebody, target)
    left(target.tag, build, 2)
    leaving.sweep(NOW)
    changing.add(target.tag, build, by=somebody)
    Build.objects.update(leaves_at=NOW - DAY)  # even if its day came before it was looked at
    assert retention.remove("discarded", 0) == 0
    leaving.sweep(NOW)
    assert Build.objects.get(pk=build.pk).leaves_at is None


def test_snapshots_leave_by_a_task_with_what_only_they_had(target: Target, somebody: User) -> None:
    repository = Repository.objects.create(tag=target.tag, suite="house", keep_days=30)
    alone, both = completed(somebody, target, "alone"), completed(somebody, target, "both")
    first, failed = snapshot(repository, 1, age=90), snapshot(repository, 2, age=80, state=State.FAILED)
    second = snapshot(repository, 3, age=60)
    for build, end in ((alone, second), (both, None)):
        Holding.objects.create(repository=repository, build=build, binary=build.binaries.get(), first=first, end=end)
    assert set(pruning.superfluous(NOW)) == {first, failed}
    leaving.sweep(NOW)
    assert pruning.prune(repository, NOW) is None, "its time has not come"
    leaving.keep_snapshot(failed, by=somebody)
    task = pruning.prune(repository, NOW + 8 * DAY)
    assert task is not None and task.request["snapshots"] == [first.name]
    with store.open(task.request["pool"]) as file:
        assert json.load(file) == {"paths": [f"pool/main/a/alone/b{alone.pk}/alone_1_amd64.deb"]}
    with pytest.raises(InputError, match="being removed now"):
        leaving.keep_snapshot(first, by=somebody)
    Tag.objects.filter(pk=target.tag_id).touch()
    repositories.tend()
    assert repository.snapshots.count() == 3, "nothing changes it meanwhile"
    Task.objects.filter(pk=task.pk).update(state=State.COMPLETED)
    pruning.changed(Task.objects.get(pk=task.pk))
    assert Snapshot.objects.get(pk=first.pk).removed_at and not Snapshot.objects.get(pk=second.pk).removed_at
    assert [each.build for each in Holding.objects.all()] == [both]


def test_what_a_task_names_stays(target: Target, somebody: User) -> None:
    Tag.objects.update(discard_days=1)
    repository = Repository.objects.create(tag=target.tag, suite="house", keep_days=1)
    first, _ = snapshot(repository, 1, age=9), snapshot(repository, 2, age=8)
    build = completed(somebody, target)
    left(target.tag, build, 2)
    address = f"http://hub.example.org/repositories/house/snapshots/{first.name}/"
    request = {"treefile": f"repositories: [{{uri: {address}}}]", "files": [build.binaries.get().artifact.sha256]}
    task = hub.submit("compose-arch", "names both", request=request, by=None, channel=target.channel)
    assert leaving.sweep(NOW) == 0
    Task.objects.filter(pk=task.pk).update(state=State.COMPLETED)
    assert leaving.sweep(NOW) == 2


def composed(by: User, target: Target, builds: list[Build], places: list[str]) -> Compose:
    """A compose that ended, whose lock has these packages from these addresses."""
    made = scene.compose(by, target.channel, number=Compose.objects.count())
    sums = [build.binaries.get().artifact.sha256 for build in builds]
    sha256, size = store.add(io.BytesIO(json.dumps({"number": made.pk, "packages": sums, "from": places}).encode()))
    Artifact.objects.create(task=made.task.children.get(), name="lock.json", sha256=sha256, size=size)
    tasks = Task.objects.filter(pk__in=[made.task_id, made.task.children.get().pk])
    tasks.update(state=State.COMPLETED, finished_at=NOW)
    contained.note(made)
    return made


def test_what_a_lock_names_stays(target: Target, somebody: User) -> None:
    Tag.objects.update(discard_days=1)
    build, compose = completed(somebody, target), scene.compose(somebody, target.channel)
    left(target.tag, build, 2)
    lock = json.dumps({"packages": [{"sha256": build.binaries.get().artifact.sha256}]}).encode()
    sha256, size = store.add(io.BytesIO(lock))
    Artifact.objects.create(task=compose.task.children.get(), name="lock.json", sha256=sha256, size=size)
    assert leaving.sweep(NOW) == 0
    type(compose).objects.update(removed_at=NOW)
    assert leaving.sweep(NOW) == 1


def test_no_lock_of_an_ended_compose_is_read(target: Target, somebody: User) -> None:
    Tag.objects.update(discard_days=1)
    repository = Repository.objects.create(tag=target.tag, suite="house", keep_days=1)
    first, _ = snapshot(repository, 1, age=9), snapshot(repository, 2, age=8)
    build = completed(somebody, target)
    left(target.tag, build, 2)
    compose = composed(somebody, target, [build], [f"/repositories/house/snapshots/{first.name}/pool/a.deb"])
    Artifact.objects.filter(name="lock.json").delete()
    assert leaving.sweep(NOW) == 0
    assert contained.named({("house", first.name)}, set()).snapshots == {("house", first.name)}
    type(compose).objects.update(removed_at=NOW)
    assert leaving.sweep(NOW) == 2


# Whatever people and rules do

STEPS = some.lists(some.tuples(some.sampled_from(
    ["tag", "untag", "keep", "let go", "snapshot", "prune", "name", "unname", "compose", "expire", "wait", "sweep"]),
    some.integers(0, 3), some.integers(0, 1)), min_size=5, max_size=20)  # fmt: skip


def steps(verbs: str) -> list[tuple[str, int, int]]:
    """All of the first build and the first tag."""
    return [(verb, 0, 0) for verb in verbs.split()]


class NothingReferredToGoes(TestCase):
    """The state machine of retention, with time that passes only as it is told."""

    def begin(self) -> None:
        """A world of this example's own: it is undone with the example's transaction."""
        channel = Channel.objects.get_or_create(name="default")[0]
        self.somebody = User.objects.create(username="somebody")
        self.target = scene.target(channel)
        self.tags = [self.target.tag, Tag.objects.create(name="other", discard_days=2)]
        Tag.objects.update(discard_days=2, days=3, versions=1)
        self.repository = Repository.objects.create(tag=self.tags[0], suite="house", keep_days=2)
        self.builds = [completed(self.somebody, self.target, "ab"[number % 2]) for number in range(4)]
        self.named: dict[int, Task] = {}
        self.composed: dict[int, list[Any]] = {}
        self.number = 0
        self.published: dict[int, set[int]] = {}  # what each snapshot was told to have

    @tried(max_examples=10, deadline=None)
    @example(steps("tag snapshot untag snapshot wait sweep wait prune sweep wait sweep"))
    @example(steps("tag compose untag wait sweep wait sweep expire sweep wait sweep"))
    @example(steps("tag snapshot snapshot wait untag snapshot sweep wait prune"))
    @given(STEPS)
    def test_whatever_happens(self, steps: list[tuple[str, int, int]]) -> None:
        self.begin()
        for verb, which, tag in steps:
            build = Build.objects.filter(pk=self.builds[which].pk).first()
            tagged = set(TagEntry.objects.at().values_list("build_id", flat=True))
            if build is not None or verb in ("snapshot", "prune", "wait", "sweep"):
                self.do(verb, build, self.tags[tag])
            self.check(tagged)

    def do(self, verb: str, build: Any, tag: Tag) -> None:
        acts: dict[str, Callable[[], object]] = {
            "tag": lambda: changing.add(tag, build, by=self.somebody),
            "untag": lambda: changing.remove(tag, build, by=self.somebody),
            "keep": lambda: leaving.keep_build(build, by=self.somebody),
            "let go": lambda: leaving.keep_build(build, by=self.somebody, keep=False),
            "snapshot": self.publish, "prune": self.pruned, "wait": self.pass_days,
            "name": lambda: self.name(build), "unname": lambda: self.unname(build),
            "compose": lambda: self.compose(build), "expire": lambda: self.expire(build),
            "sweep": lambda: leaving.sweep(timezone.now()),
        }  # fmt: skip
        try:
            acts[verb]()
        except InputError:  # as people are told
            pass

    def publish(self) -> None:
        """As a task that follows the tag does."""
        self.number += 1
        made = snapshot(self.repository, self.number, age=0)
        wanted = {each.build for each in content.content(self.tags[0])}
        self.published[made.pk] = wanted
        self.repository.holdings.filter(end=None).exclude(build__in=wanted).update(end=made)
        there = set(self.repository.holdings.filter(end=None).values_list("build_id", flat=True))
        for pk in wanted - there:
            binary = BinaryPackage.objects.get(build=pk)
            Holding.objects.create(repository=self.repository, build_id=pk, binary=binary, first=made)

    def pruned(self) -> None:
        self.repository.refresh_from_db()
        waiting = self.repository.pruning
        task = waiting if waiting and waiting.is_live else pruning.prune(self.repository, timezone.now())
        if task is not None:
            with store.open(task.request["pool"]) as file:
                gone = {int(path.split("/b")[1].split("/")[0]) for path in json.load(file)["paths"]}
            staying = Snapshot.objects.filter(removed_at=None).exclude(name__in=task.request["snapshots"])
            assert not gone & self.had_by(staying)
            Task.objects.filter(pk=task.pk).update(state=State.COMPLETED)
            pruning.changed(Task.objects.get(pk=task.pk))

    def pass_days(self) -> None:
        """Everything is eight days older."""
        aged: tuple[tuple[Any, tuple[str, ...]], ...] = (
            (TagEntry, ("began_at", "ended_at")),
            (Build, ("leaves_at",)),
            (Snapshot, ("published_at", "leaves_at")),
        )
        for model, names in aged:
            for row in model.objects.all():
                values = {name: getattr(row, name) - 8 * DAY for name in names if getattr(row, name)}
                model.objects.filter(pk=row.pk).update(**values)

    def name(self, build: Build) -> None:
        request = {"file": build.binaries.get().artifact.sha256}
        self.named[build.pk] = hub.submit("publish", "names", request=request, by=None, channel=self.target.channel)

    def unname(self, build: Build) -> None:
        if task := self.named.pop(build.pk, None):
            Task.objects.filter(pk=task.pk).update(state=State.COMPLETED, finished_at=timezone.now())

    def compose(self, build: Build) -> None:
        """With the package of this build, out of the repository's latest snapshot."""
        latest = Repository.objects.get().current
        places = [f"/repositories/house/snapshots/{latest.name}/"] if latest else []
        made = composed(self.somebody, self.target, [build], places)
        self.composed.setdefault(build.pk, []).append((made, latest))

    def expire(self, build: Build) -> None:
        """The files of all composes with it are removed."""
        gone = [made.pk for made, _ in self.composed.pop(build.pk, [])]
        Compose.objects.filter(pk__in=gone).update(removed_at=timezone.now())

    def had_by(self, snapshots: Any) -> set[int]:
        return {build for pk in snapshots.values_list("pk", flat=True) for build in self.published[pk]}

    def check(self, tagged: set[int]) -> None:
        there = set(Build.objects.values_list("pk", flat=True))
        live = set(Task.objects.live().values_list("pk", flat=True))
        assert {pk for pk, task in self.named.items() if task.pk in live} <= there
        assert self.had_by(Snapshot.objects.filter(removed_at=None)) <= there
        assert tagged <= there
        assert set(self.composed) <= there
        places = {latest.pk for rows in self.composed.values() for _, latest in rows if latest}
        assert not Snapshot.objects.filter(pk__in=places).exclude(removed_at=None).exists()
        current = Repository.objects.get().current
        assert current is None or current.removed_at is None


# Pages, API


def test_the_rules_are_tried_out_and_saved(target: Target, somebody: User, client_of: Callable[[str], Client]) -> None:
    for _ in range(3):
        build = completed(somebody, target)
        target.tag.entries.create(build=build, began_at=NOW - 20 * DAY)
    client = client_of("release-manager")
    tried_out = "versions=0&days=10&least=2&keep=&discard_days=5"
    page = client.get(f"/tags/trixie/retention/?{tried_out}").content.decode()
    assert "1 build would leave trixie" in page and "older than 10 days" in page
    [told] = client.get("/api/v1/leaving/tags/trixie/?versions=0&days=10&least=2").json()
    assert (told["source"], told["reason"]) == ("figlet", "older than 10 days")
    assert client.get("/api/v1/leaving/tags/trixie/?days=-1").status_code == 400
    assert Tag.objects.get().days == 0 and TagEntry.objects.at().count() == 3
    form = {"versions": "0", "days": "10", "least": "2", "keep": "li~nux", "discard_days": "5"}
    assert "is no pattern" in client.post("/tags/trixie/retention/", form).content.decode()
    assert client.post("/tags/trixie/retention/", {**form, "keep": "linux-*"}).status_code == 302
    saved = Tag.objects.values_list("versions", "days", "least", "keep", "discard_days").get()
    assert saved == (0, 10, 2, "linux-*", 5)


def test_what_leaves_is_listed_and_kept(target: Target, somebody: User, client_of: Callable[[str], Client]) -> None:
    build = completed(somebody, target)
    Build.objects.update(leaves_at=NOW + DAY)
    repository = Repository.objects.create(tag=target.tag, suite="house")
    marked = snapshot(repository, 1, age=9)
    Snapshot.objects.update(leaves_at=NOW + DAY)
    client = client_of("release-manager")
    assert f"/builds/{build.pk}/keep/" in client.get("/builds/leaving/").content.decode()
    assert "keep" in client.get("/repositories/house/").content.decode()
    assert [each["id"] for each in client.get("/api/v1/leaving/").json()["results"]] == [build.pk]
    assert [each["name"] for each in client.get("/api/v1/leaving/snapshots/").json()] == [marked.name]
    assert client.post(f"/builds/{build.pk}/keep/").status_code == 302
    assert client.post(f"/tags/trixie/retention/snapshots/{marked.pk}/keep/").status_code == 302
    assert Build.objects.get().kept and Snapshot.objects.get().kept
    assert "figlet" in client.get("/builds/leaving/?kept=1").content.decode()
    told = client.post(f"/api/v1/leaving/{build.pk}/keep/", {"keep": False}, "application/json").json()
    assert (told["kept"], told["leaves_at"]) == (False, None)
    told = client.post(f"/api/v1/leaving/snapshots/{marked.pk}/keep/", {"keep": False}, "application/json").json()
    assert told["kept"] is False


# What is not tried again


def test_old_changes_of_a_repository_are_not_tried_again(target: Target, somebody: User) -> None:
    repository = Repository.objects.create(tag=target.tag, suite="house", keep_days=30)
    first, second = (snapshot(repository, number, age=9, state=State.FAILED) for number in (1, 2))
    with pytest.raises(InputError, match="has gone on since"):
        hub.retry(first.task, somebody)
    hub.retry(second.task, somebody)
    assert Snapshot.objects.get(pk=second.pk).task.state == State.FREE
    prune = hub.submit("repository-prune", "remove", request={}, by=None, channel=target.channel)
    hub.cancel(prune, None)
    with pytest.raises(InputError, match="found out anew"):
        hub.retry(prune, somebody)
