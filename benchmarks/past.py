"""The rows of a hub with a long past, made in an empty PostgreSQL database by one statement for each table.

Of twenty finished tasks one is a build with two beneath it, of five hundred one is a compose with one beneath it; the
others stand alone. Each that a host ran has its attempt, its log and an artifact; half of the submitters made builds.
One person waits with all tasks but a thousand, ten others with a hundred each.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from builds.models import Tag, Target
from chroots.models import Chroot
from composes.models import Definition, Revision
from debatomic.access.models import RoleBinding, User
from hosts.models import Channel, Host

PEOPLE = 11
CHROOTS = 10
PACKAGES = 20_000
COUNTED = 5_000  # packages in the statistics, a quarter of them each day
DAYS = 365  # of statistics by package


@dataclass(frozen=True, kw_only=True)
class Size:
    finished: int = 1_000_000
    waiting: int = 5_000
    hosts: int = 200


TASK_COLUMNS = """method, title, is_parent, architecture, channel_id, weight, priority, public, created_by_id, share,
    request, limits, retries, result, state, attempt, attempts_allowed, reason, kind, cause, decisive, progress,
    created_at, ready_at"""
PLACE = "mod(n, 20)"  # within a family of twenty: 0 is a build, 1 and 2 its tasks
COMPOSE = "mod(n, 500) = 10"
OF_COMPOSE = "mod(n, 500) = 11"
STATE = """CASE WHEN mod(n / 20, 12) = 0 THEN 'failed' WHEN mod(n / 20, 50) = 1 THEN 'canceled' ELSE 'completed' END"""
AT = "now() - interval '1 minute' * (%(finished)s - n + {minutes})"
FINISHED = f"""INSERT INTO hosts_task ({TASK_COLUMNS}, host_id, claimed_at, started_at, finished_at, parent_id, id)
    SELECT CASE WHEN {PLACE} = 0 THEN 'build' WHEN {PLACE} < 3 THEN 'build-arch'
            WHEN {COMPOSE} THEN 'compose' WHEN {OF_COMPOSE} THEN 'compose-arch' ELSE 'benchmark' END,
        'package-' || mod(n / 20, {PACKAGES}) || ' 1.0-' || n || ' for trixie', {PLACE} = 0 OR {COMPOSE},
        CASE WHEN mod(n, 40) = 2 THEN 'arm64' ELSE 'amd64' END,
        %(channel)s, 1, 20, mod(n, 10) <> 0, %(person)s + mod(n / 20, %(people)s), %(person)s + mod(n / 20, %(people)s),
        '{{"source": "figlet"}}', '{{}}', '{{}}', '{{}}', {STATE}, 1, 3,
        CASE WHEN {STATE} = 'failed' THEN 'dpkg-buildpackage exited with status 2.' ELSE '' END,
        CASE WHEN {STATE} = 'failed' THEN 'build' ELSE '' END,
        CASE WHEN {STATE} = 'failed' THEN (ARRAY['compile', 'test', 'dep-wait', 'timeout'])[1 + mod(n / 240, 4)]
            ELSE '' END,
        '[]', '{{}}', {AT.format(minutes=10)}, {AT.format(minutes=10)},
        CASE WHEN {PLACE} = 0 OR {COMPOSE} THEN NULL ELSE %(host)s + mod(n, %(hosts)s) END,
        CASE WHEN {PLACE} = 0 OR {COMPOSE} THEN NULL ELSE {AT.format(minutes=9)} END,
        {AT.format(minutes=9)}, {AT.format(minutes=5)},
        CASE WHEN {PLACE} IN (1, 2) THEN n - {PLACE} WHEN {OF_COMPOSE} THEN n - 1 END, n
    FROM generate_series(20, %(finished)s + 19) n"""
WAITING = f"""INSERT INTO hosts_task ({TASK_COLUMNS})
    SELECT 'benchmark', 'package ' || n || ' for trixie, amd64', false, 'amd64', %(channel)s, 1, 20, true,
        %(person)s + CASE WHEN n > %(waiting)s - 1000 THEN 1 + mod(n, 10) ELSE 0 END,
        %(person)s + CASE WHEN n > %(waiting)s - 1000 THEN 1 + mod(n, 10) ELSE 0 END,
        '{{"source": "figlet"}}', '{{}}', '{{}}', '{{}}', 'free', 0, 3, '', '', '', '[]', '{{}}',
        now() - interval '1 minute', now() - interval '1 minute'
    FROM generate_series(1, %(waiting)s) n"""
LINKS = """INSERT INTO hosts_task_dependencies (from_task_id, to_task_id)
    SELECT id, id - 1 FROM hosts_task WHERE mod(id, 20) = 2 AND method = 'build-arch'"""
ATTEMPTS = """INSERT INTO hosts_attempt (task_id, number, host_id, started_at, finished_at, outcome, reason, package,
        target, counted)
    SELECT id, 1, host_id, started_at, finished_at, state, reason, CASE WHEN method = 'build-arch'
        THEN split_part(title, ' ', 1) ELSE '' END, CASE WHEN method = 'build-arch' THEN 'trixie' ELSE '' END, true
    FROM hosts_task WHERE host_id IS NOT NULL ORDER BY id"""
LOGS = """INSERT INTO hosts_log (task_id, attempt, name, size, sealed_at)
    SELECT id, 1, 'log', 40000, finished_at FROM hosts_task WHERE host_id IS NOT NULL ORDER BY id"""
ARTIFACTS = """INSERT INTO hosts_artifact (task_id, name, kind, media_type, sha256, size, created_at)
    SELECT id, CASE WHEN method = 'build-arch' THEN split_part(title, ' ', 1) || '_1.0_amd64.deb' ELSE 'log.zst' END,
        CASE WHEN method = 'build-arch' THEN 'binary' ELSE 'log' END, 'application/octet-stream',
        md5(id::text) || md5(id::text), 20000, finished_at
    FROM hosts_task WHERE host_id IS NOT NULL ORDER BY id"""
BUILDS = """INSERT INTO builds_build (source, version, target_id, origin, files, scratch, signature, signed_by, git_url,
        git_commit, kept, task_id, created_by_id, created_at)
    SELECT split_part(title, ' ', 1), split_part(title, ' ', 2), %(target)s, 'archive', '[]', mod(id, 7) = 0, '', '',
        '', '', false, id, created_by_id, created_at
    FROM hosts_task WHERE method = 'build' ORDER BY id"""
ENTRIES = """INSERT INTO builds_tagentry (tag_id, build_id, began_at, reason, end_reason)
    SELECT %(tag)s, builds_build.id, builds_build.created_at, '', '' FROM builds_build
    JOIN hosts_task ON hosts_task.id = task_id WHERE state = 'completed' AND NOT scratch"""
USES = f"""INSERT INTO chroots_chrootuse (chroot_id, task_id)
    SELECT %(chroot)s + CASE WHEN mod(id, 20) = 1 THEN 0 ELSE mod(id, {CHROOTS}) END, id
    FROM hosts_task WHERE method = 'build-arch' ORDER BY id"""
REFRESHES = f"""INSERT INTO chroots_refresh (chroot_id, task_id, base_id, packages, size, made_at, manifest, added,
        removed, upgraded)
    SELECT %(chroot)s + mod(id / 20, {CHROOTS}), id, 'x', 180, 1000000, finished_at, repeat('0', 64), 1, 0, 2
    FROM hosts_task WHERE method = 'benchmark' AND mod(id, 20) = 15 AND mod(id / 20, 5) = 0 ORDER BY id"""
COMPOSES = """INSERT INTO composes_compose (identity, revision_id, variant, architectures, label, version,
        overridden, task_id, created_by_id, created_at)
    SELECT 'debian-atomic-minimal-' || id || '.0', %(revision)s, 'minimal', '["amd64"]', '', '13.0', '{}', id,
        created_by_id, created_at FROM hosts_task WHERE method = 'compose' ORDER BY id"""
AUDIT = """INSERT INTO access_auditentry (at, user_id, act, thing, address, details)
    SELECT created_at, created_by_id, CASE WHEN is_parent THEN 'build.submit' ELSE 'task.cancel' END,
        title, '192.0.2.1', '{"build": 5}' FROM hosts_task WHERE mod(id, 2) = 0 ORDER BY id"""
EVENTS = """INSERT INTO hosts_event (at, kind, key, what, topics)
    SELECT finished_at, 'task', id::text, state, jsonb_build_array('tasks', 'task:' || id)
    FROM hosts_task WHERE finished_at IS NOT NULL ORDER BY id"""
COUNTS = "(grain, day, dimension, name, completed, failed, lost, canceled, waited, longest_wait, ran, longest_run)"
DAY_COUNTS = f"""INSERT INTO hosts_periodcount {COUNTS}
    SELECT 'day', current_date - d, 'package', 'package-' || mod(d * 7919 + p * 4, {COUNTED}), 1, 1, 0, 0, 10, 5, 100,
        50 FROM generate_series(0, {DAYS - 1}) d, generate_series(0, {COUNTED // 4 - 1}) p"""
DAYS_AT_ALL = f"""INSERT INTO hosts_periodcount {COUNTS}
    SELECT 'day', finished_at::date, 'all', '', count(*) FILTER (WHERE state = 'completed'),
        count(*) FILTER (WHERE state = 'failed'), 0, count(*) FILTER (WHERE state = 'canceled'), 60 * count(*), 60,
        240 * count(*), 240 FROM hosts_task WHERE host_id IS NOT NULL AND finished_at IS NOT NULL
    GROUP BY finished_at::date"""
MONTH_COUNTS = f"""INSERT INTO hosts_periodcount {COUNTS}
    SELECT 'month', date_trunc('month', day)::date, dimension, name, sum(completed), sum(failed), 0, sum(canceled),
        sum(waited), max(longest_wait), sum(ran), max(longest_run) FROM hosts_periodcount
    GROUP BY date_trunc('month', day), dimension, name"""
SAMPLES = """INSERT INTO hosts_hostsample (host_id, at, grain, load, memory, disk, running)
    SELECT %(host)s + h, date_trunc('minute', now()) - interval '1 second' * grain * n, grain, 0.5, 0.4, 0.3, 2
    FROM generate_series(0, %(hosts)s - 1) h, (VALUES (60, 1440), (600, 1000), (3600, 1900)) AS tier (grain, number),
        generate_series(0, number - 1) n"""
QUEUE = """INSERT INTO hosts_queuesample (at, grain, architecture, waiting, running, oldest)
    SELECT date_trunc('minute', now()) - interval '1 second' * grain * n, grain, 'amd64', 40, 20, 60
    FROM (VALUES (60, 1440), (600, 1000), (3600, 2000)) AS tier (grain, number), generate_series(0, number - 1) n"""
SCHEDULES = """INSERT INTO hosts_schedule (name, "order", parameters, cron, time_zone, enabled, next_at, created_by_id,
        created_at)
    SELECT 'nightly-' || n, 'chroot-refresh', '{"chroot": "c-0"}', '30 4 * * *', 'UTC', true, now() + interval '1 day',
        %(person)s, now() FROM generate_series(1, 500) n"""
TABLES = (LINKS, ATTEMPTS, LOGS, ARTIFACTS, BUILDS, ENTRIES, USES, REFRESHES, COMPOSES, AUDIT, EVENTS, DAY_COUNTS,
          DAYS_AT_ALL, MONTH_COUNTS, SAMPLES, QUEUE, SCHEDULES)  # fmt: skip


def fill(size: Size) -> None:
    """Make all of it."""
    common = {
        "finished": size.finished,
        "waiting": size.waiting,
        "hosts": size.hosts,
        "people": PEOPLE,
        **_firsts(size),
    }
    with connection.cursor() as cursor:
        cursor.execute(FINISHED, common)
        cursor.execute("SELECT setval(pg_get_serial_sequence('hosts_task', 'id'), (SELECT max(id) FROM hosts_task))")
        for statement in TABLES:
            cursor.execute(statement, common)
        cursor.execute(WAITING, common)
        cursor.execute("VACUUM ANALYZE")


def _firsts(size: Size) -> dict[str, int]:
    """The ids that the statements begin to count at."""
    channel = Channel.objects.get_or_create(name="default")[0]
    people = User.objects.bulk_create([User(username=f"person-{number}") for number in range(PEOPLE)])
    RoleBinding.objects.create(user=people[0], role="administrator")
    hosts = Host.objects.bulk_create([_host(number) for number in range(size.hosts)])
    channel.hosts.add(*hosts)
    chroots = Chroot.objects.bulk_create(
        Chroot(name=f"c-{number}", suite="trixie", architecture="amd64", components=["main"])
        for number in range(CHROOTS)
    )
    tag = Tag.objects.create(name="trixie")
    target = Target.objects.create(name="trixie", tag=tag, channel=channel)
    target.chroots.add(*chroots)
    definition = Definition.objects.create(name="debian-atomic", title="A system")
    revision = Revision.objects.create(
        definition=definition, number=1, digest="0" * 64, files={"a.yaml": ""}, main="a.yaml",
        variants={"minimal": {"title": "Minimal", "architectures": ["amd64"]}},
    )  # fmt: skip
    return {"channel": channel.pk, "person": people[0].pk, "host": hosts[0].pk, "chroot": chroots[0].pk,
            "tag": tag.pk, "target": target.pk, "revision": revision.pk}  # fmt: skip


def _host(number: int) -> Host:
    report = {"slots": 4, "load": [0.5, 0.5, 0.5], "processors": 4, "memory": {"free": 8 << 30, "total": 16 << 30},
              "disk": {"free": 80 << 30, "total": 100 << 30}}  # fmt: skip
    return Host(name=f"host-{number}", architectures=["amd64"], capacity=4, seen_at=timezone.now(), report=report)
