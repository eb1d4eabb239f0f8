"""What can happen to a task: every verb is one transaction, and nothing else changes a task's state.

People: submit, cancel, retry, set_priority. Hosts: claim, start, beat, finish, fail, release, report; each of these but
the first and last carries the claim, the fencing token of one attempt: whoever lost it writes nothing. Anybody: reap.
"""

from hosts.connection import Beat, File, Held
from hosts.hub.attempts import beat, fail, finish, holds, release, start
from hosts.hub.claiming import claim, eligible
from hosts.hub.doctoring import DOCTOR, doctor
from hosts.hub.people import cancel, retry, set_priority
from hosts.hub.reaping import reap
from hosts.hub.reporting import report
from hosts.hub.submission import submit

__all__ = ["DOCTOR", "Beat", "File", "Held", "beat", "cancel", "claim", "doctor", "eligible", "fail", "finish",
           "holds", "reap", "release", "report", "retry", "set_priority", "start", "submit"]  # fmt: skip
