"""What can happen to a task: every verb is one transaction, and nothing else changes a task's state.

People: submit, resubmit, cancel, retry, set_priority, depend, and many at once. Hosts: claim, start, beat, finish,
fail, release, report; each of these but the first and last carries the claim, the fencing token of one attempt: whoever
lost it writes nothing. Anybody: reap, settle.
"""

from hosts.builder.connection import Beat, File, Held
from hosts.hub.attempts import beat, fail, finish, holds, release, start
from hosts.hub.bulk import Batch, cancel_many, picked, retry_many
from hosts.hub.claiming import claim, claim_some, eligible
from hosts.hub.depending import depend
from hosts.hub.doctoring import DOCTOR, doctor
from hosts.hub.people import cancel, retry, set_priority
from hosts.hub.reaping import reap
from hosts.hub.reporting import report
from hosts.hub.resubmission import resubmit
from hosts.hub.settling import settle
from hosts.hub.submission import submit

__all__ = ["DOCTOR", "Batch", "Beat", "File", "Held", "beat", "cancel", "cancel_many", "claim", "claim_some", "depend",
           "doctor", "eligible", "fail", "finish", "holds", "picked", "reap", "release", "report", "resubmit", "retry",
           "retry_many", "set_priority", "settle", "start", "submit"]  # fmt: skip
