"""Machines and the work they do."""

from hosts.models.artifact import Artifact, Log
from hosts.models.cache import HostCache
from hosts.models.event import Event
from hosts.models.host import Channel, Host, HostState
from hosts.models.presence import WebPresence
from hosts.models.registration import Registration
from hosts.models.sample import HostSample, PeriodCount, QueueSample
from hosts.models.scaling import ScalingAct
from hosts.models.schedule import Occurrence, Schedule
from hosts.models.task import Attempt, Task
from hosts.models.window import Window
from hosts.states import FINAL, HELD, LIVE, State

__all__ = ["FINAL", "HELD", "LIVE", "Artifact", "Attempt", "Channel", "Event", "Host", "HostCache",
           "HostSample", "HostState", "Log", "Occurrence", "PeriodCount", "QueueSample", "Registration", "ScalingAct",
           "Schedule", "State", "Task", "WebPresence", "Window"]  # fmt: skip
