"""Every list as a page and by the API, at a million rows: time, processor time and queries of one answer.

    python scripts/with_postgres.py python -m benchmarks.lists [--finished 1000000] [--rounds 15]

The requests go through the whole of Django in one process, as an administrator; all take turns in every round.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from functools import partial

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks import hub
from benchmarks.clock import Clock
from debatomic.access.models import User

PAGES = (
    "/", "/search/?q=package-77",
    "/tasks/", "/tasks/?before=500000", "/tasks/?state=live", "/tasks/?state=failed", "/tasks/?cause=test",
    "/tasks/?method=build-arch", "/tasks/?host=host-7", "/tasks/?architecture=arm64", "/tasks/?submitter=person-3",
    "/tasks/?submitter=person-0&state=failed",
    "/builds/", "/builds/?before=20000", "/builds/?state=live", "/builds/?state=failed", "/builds/?cause=test",
    "/builds/?source=package-7", "/builds/?target=trixie", "/builds/?submitter=person-3",
    "/composes/", "/composes/?state=DOOMED", "/composes/?definition=debian-atomic&variant=minimal",
    "/composes/?submitter=person-3", "/definitions/", "/definitions/debian-atomic/",
    "/artifacts/", "/artifacts/?name=package-7", "/artifacts/?kind=binary", "/artifacts/?sha256=00ab",
    "/hosts/", "/hosts/host-7/", "/hosts/host-7/ran/", "/hosts/-/registrations/", "/channels/",
    "/chroots/", "/chroots/c-0/", "/chroots/c-0/builds/", "/chroots/c-0/builds/?state=failed",
    "/chroots/c-0/builds/?host=host-7", "/chroots/c-0/refreshes/",
    "/schedules/", "/schedules/nightly-7/", "/statistics/", "/statistics/?by=package&days=365",
    "/audit/", "/audit/?user=person-3", "/audit/?act=task", "/audit/?thing=package-777",
    "/users/", "/account/keys/", "/retention/",
)  # fmt: skip
API = (
    "tasks/", "tasks/?state=failed", "tasks/?state=free&state=running", "tasks/?cause=test", "tasks/?method=build-arch",
    "tasks/?host=host-7", "tasks/?channel=default", "tasks/?architecture=arm64", "tasks/?created_by=person-3",
    "tasks/?parent=500000", "tasks/?family=500000", "tasks/?is_parent=true",
    "builds/", "builds/?state=failed", "builds/?cause=test", "builds/?source=package-77", "builds/?target=trixie",
    "builds/?created_by=person-3", "builds/?tag=trixie", "builds/?chroot=c-0", "builds/?scratch=true",
    "composes/", "composes/?state=DOOMED", "composes/?definition=debian-atomic", "composes/?created_by=person-3",
    "definitions/", "artifacts/", "artifacts/?task=500003", "artifacts/?kind=binary", "artifacts/?name=log.zst",
    "hosts/", "channels/", "registrations/", "windows/", "schedules/", "targets/", "chroots/", "keys/",
    "statistics/?by=package&days=365", "retention/", "scaling/", "users/me/",
)  # fmt: skip


@dataclass
class Answer:
    """One address, with the times of its answers."""

    address: str
    clock: Clock = field(default_factory=Clock)
    queries: int = 0
    size: int = 0

    @property
    def row(self) -> str:
        wall, own, server = self.clock.medians
        return (f"| `{self.address}` | {wall:.0f} | {min(self.clock.wall):.0f} | {own:.1f} | {server:.1f} "
                f"| {self.queries} | {self.size / 1024:.0f} |")  # fmt: skip


HEAD = """| address | median ms | least ms | our processor ms | the server's | queries | KiB |
|---|---|---|---|---|---|---|"""


def first(client: Client, address: str) -> Answer:
    """Ask once, for the number of queries; templates are compiled, too."""
    with CaptureQueriesContext(connection) as asked:
        response = client.get(address)
    if response.status_code not in (200, 302):
        raise SystemExit(f"{address} answered {response.status_code}.")
    return Answer(address, queries=len(asked), size=len(response.content))


def measure(client: Client, addresses: list[str], rounds: int) -> list[Answer]:
    answers = [first(client, address) for address in addresses]
    for _ in range(rounds):
        for answer in answers:
            answer.clock.call(partial(client.get, answer.address))
    return answers


def main() -> None:
    parser = argparse.ArgumentParser(description="Milliseconds of every list of a hub with a long past.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="addresses that have this text")
    hub.size_options(parser)
    options = parser.parse_args()
    hub.prepare(options)
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.get(username="person-0"), backend="django.contrib.auth.backends.ModelBackend")
    for addresses in (PAGES, tuple(f"/api/v1/{address}" for address in API)):
        print(HEAD, flush=True)
        for answer in measure(client, [one for one in addresses if options.only in one], options.rounds):
            print(answer.row, flush=True)
        print()


if __name__ == "__main__":
    main()
