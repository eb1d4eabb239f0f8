"""How fast a file is found among the packages of a whole distribution, and how large that makes the database.

usage: DEBATOMIC_HOME=DIR manage.py shell -c "exec(open('benchmarks/file_search.py').read())"   (in an empty database)
"""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Callable

import zstandard
from django.db import connection, transaction

from builds.models import BinaryPackage, Build, FileList, PackageFiles, SourcePackage, Tag, TagEntry, Target
from builds.provenance.file_models import base_name
from builds.provenance.finding import find, parse
from builds.provenance.packages import listed
from debatomic.access.models import RoleBinding, User
from hosts.models import Artifact, Channel, State, Task

PACKAGES = int(os.environ.get("PACKAGES", "50000"))
FILES = int(os.environ.get("FILES", "200"))  # of each
WORDS = [f"{a}{b}" for a in ("net", "gui", "lib", "doc", "py", "perl", "font", "icon") for b in range(400)]


def paths(number: int, chance: random.Random) -> list[str]:
    own = [f"usr/share/p{number}/{chance.choice(WORDS)}-{chance.choice(WORDS)}.dat" for _ in range(FILES - 4)]
    return [f"usr/bin/p{number}", f"usr/share/doc/p{number}/copyright", f"usr/share/doc/p{number}/changelog.Debian.gz",
            f"usr/lib/libp{number}.so.1", *own]  # fmt: skip


def fill(by: User, target: Target) -> float:
    """Builds with one package each; seconds that the names and lists alone took."""
    chance, spent = random.Random(1), 0.0
    for first in range(0, PACKAGES, 1000):
        numbers = range(first, min(first + 1000, PACKAGES))
        with transaction.atomic():
            binaries = rows(numbers, by, target)
            began = time.perf_counter()
            told = [sorted(paths(number, chance)) for number in numbers]
            packed = [zstandard.ZstdCompressor().compress("\n".join(each).encode()) for each in told]
            lists = FileList.objects.bulk_create(
                FileList(sha256=f"{number:064}", number=len(told[index]), packed=packed[index])
                for index, number in enumerate(numbers)
            )
            names = [(base_name(path), each.pk) for each, mine in zip(lists, told, strict=True) for path in mine]
            with connection.cursor() as cursor:
                cursor.executemany("INSERT INTO builds_filename (name, listing_id) VALUES (%s, %s)", names)
            PackageFiles.objects.bulk_create(
                PackageFiles(binary=binary, listing=each, waits=False)
                for binary, each in zip(binaries, lists, strict=True)
            )
            spent += time.perf_counter() - began
    return spent


def rows(numbers: range, by: User, target: Target) -> list[BinaryPackage]:
    channel = target.channel
    tasks = Task.objects.bulk_create(
        Task(method="build", channel=channel, state=State.COMPLETED, is_parent=True) for _ in numbers)  # fmt: skip
    builds = Build.objects.bulk_create(
        Build(source=f"p{number}", version="1", target=target, task=task, created_by=by)
        for number, task in zip(numbers, tasks, strict=True)
    )
    SourcePackage.objects.bulk_create(
        SourcePackage(name=build.source, latest=build.pk, public_latest=build.pk) for build in builds
    )
    artifacts = Artifact.objects.bulk_create(
        Artifact(name=f"{build}_amd64.deb", sha256=f"{build.pk:064}", size=1) for build in builds)  # fmt: skip
    TagEntry.objects.bulk_create(TagEntry(tag=target.tag, build=build) for build in builds)
    return BinaryPackage.objects.bulk_create(
        BinaryPackage(build=build, name=build.source, version="1", architecture="amd64", artifact=artifact)
        for build, artifact in zip(builds, artifacts, strict=True)
    )


def timed(what: Callable[[], object]) -> str:
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        what()
        seconds.append(time.perf_counter() - began)
    return f"{statistics.median(seconds) * 1000:.1f} ms"


def main() -> None:
    by = User.objects.get_or_create(username="bench")[0]
    RoleBinding.objects.get_or_create(user=by, role="viewer")
    channel = Channel.objects.get_or_create(name="default")[0]
    tag = Tag.objects.get_or_create(name="bench")[0]
    target = Target.objects.get_or_create(name="bench", defaults={"tag": tag, "channel": channel})[0]
    if not SourcePackage.objects.exists():
        print(f"index of {PACKAGES} packages with {FILES} files each: {fill(by, target):.0f} s")
    print(connection.vendor)
    for text in ("p777", "copyright", "libp77*", "net1-*", "doc/p777/copyright", "/usr/bin/p777", "nothing"):
        query = parse(text)
        everywhere, tagged = timed(lambda: find(query, by)), timed(lambda: find(query, by, tag=tag))  # noqa: B023
        print(f"{text:22} {everywhere:>10}, in a tag of all of them {tagged:>10}")
    print(f"{'list of packages':22} {timed(lambda: list(listed(by)[:51])):>10}")


main()
