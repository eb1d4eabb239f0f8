"""django-q's brokers: they claim from the hub what this host has a free worker for; there is no other queue."""

from __future__ import annotations

import time
import uuid

from django.conf import settings
from django_q.brokers import Broker
from django_q.conf import Conf
from django_q.signing import SignedPackage

from hosts.builder import bell, cluster
from hosts.builder.connection import Claimed, ClaimLost, Hub, Unreachable
from hosts.builder.local import LocalHub
from hosts.builder.remote import RemoteHub

PAUSE_SECONDS = 2.0  # after the hub did not answer


class ClaimBroker(Broker):
    """What both brokers do; enqueueing is hub.submit, acknowledging is hub.finish."""

    def __init__(self, list_key: str | None = None) -> None:
        super().__init__(list_key or Conf.CLUSTER_NAME)
        self._hub: Hub | None = None
        self._token = str(uuid.uuid4())

    def connect(self) -> Hub:
        raise NotImplementedError

    def dequeue(self) -> list[tuple[int, str]] | None:
        """Messages for free workers, or None after a pause when there is nothing to do."""
        if self._hub is None:
            self._hub = self.connect()  # in the process that uses it: connections do not survive a fork
        try:
            claimed = self._hub.claim(self._token, Conf.WORKERS) if cluster.may_claim() else []
        except Unreachable:
            time.sleep(PAUSE_SECONDS)
            return None  # asked again with the same token: a claim whose answer was lost is not lost
        except ClaimLost:  # the hub gave it a task, could not say so, and has given it up meanwhile
            self._token = str(uuid.uuid4())
            return None
        if not claimed:
            self._pause(self._hub)
            return None
        self._token = str(uuid.uuid4())
        return [(one.task, message(one)) for one in claimed]

    def _pause(self, here: Hub) -> None:
        try:
            word = here.listen()
        except Unreachable:
            word = None
        bell.pause(settings.POLL_SECONDS, word)

    def enqueue(self, task: object) -> None:
        raise NotImplementedError("Work is submitted with hosts.hub.submit.")

    def ping(self) -> bool:
        return True

    def queue_size(self) -> int:
        return 0

    def lock_size(self) -> int:
        return 0

    def info(self) -> str:
        return type(self).__name__


class DatabaseBroker(ClaimBroker):
    """On the hub's own machine."""

    def connect(self) -> Hub:
        return LocalHub()


class HttpBroker(ClaimBroker):
    """On any other machine."""

    def connect(self) -> Hub:
        return RemoteHub()


def message(claimed: Claimed) -> str:
    """What django-q's worker gets: run this, keep no result, try nothing again."""
    signed: str = SignedPackage.dumps({
        "id": claimed.claim.replace("-", ""), "name": f"task-{claimed.task}", "func": "hosts.builder.worker.run",
        "args": (claimed.task, claimed.claim), "kwargs": {}, "started": time.time(), "ack_failure": True, "save": False,
    })  # fmt: skip
    return signed
