"""Claims, starts and finishes for the named host until nothing is left; prints each task it had."""

from __future__ import annotations

import sys

import django

django.setup()

from hosts import hub  # noqa: E402
from hosts.models import Host  # noqa: E402

host = Host.objects.get(name=sys.argv[1])
while task := hub.claim(host):
    assert task.claim
    assert hub.start(task.claim)
    assert hub.finish(task.claim, {})
    print(task.pk, flush=True)
