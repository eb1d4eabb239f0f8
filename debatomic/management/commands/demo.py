"""`manage.py demo`: the main job once: a source package becomes packages, a treefile a system that boots."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from builds.models import Build, Target
from composes.models import Compose, Definition
from debatomic.access import roles
from debatomic.access.models import User
from debatomic.follow import Screen, duration, follow
from debatomic.instance import PidFile, answers, start_in_background
from debatomic.tools.errors import ToolError
from hosts.models import State, Task

SOURCE, TARGET = "figlet", "trixie"
DEFINITION, VARIANT = "debian-atomic", "minimal"


class Command(BaseCommand):
    help = f"Start DebAtomic, build {SOURCE} for {TARGET} and compose {DEFINITION} {VARIANT}; what is done stays done."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        self.pid_file = PidFile(settings.HOME / "run.pid")
        self.log = settings.HOME / "run.log"
        self.screen = Screen(sys.stdout)
        try:
            call_command("prepare", stdout=self.stdout)
            self.start()
            person = User.objects.filter(bindings__role=roles.ADMINISTRATOR, is_active=True).earliest("pk")
            self.see_through(self.build(person))
            self.see_through(self.compose(person))
        except ToolError as error:
            raise CommandError("\n    ".join([error.sentence, *error.lines])) from error
        self.tell_where()

    def start(self) -> None:
        if self.pid_file.pid():
            self.stdout.write(f"DebAtomic runs already at {settings.PUBLIC_ADDRESS}/")
            return
        command = [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), "run"]
        start_in_background(command, self.pid_file, self.log, ready=lambda: answers(settings.BIND, settings.PORT))
        self.stdout.write(f"DebAtomic has started at {settings.PUBLIC_ADDRESS}/ (log: {self.log}; `make stop` ends it)")

    def build(self, person: User) -> Build:
        """The latest build of the example; submitted where there is none, tried again where it failed."""
        target = Target.objects.get(name=TARGET)
        build = Build.objects.filter(source=SOURCE, target=target).order_by("-pk").first()
        if build is None:
            return Build.objects.submit(source=SOURCE, target=target, by=person)
        if build.state in (State.FAILED, State.CANCELED):
            build.retry(by=person)
        return build

    def compose(self, person: User) -> Compose:
        """The latest compose of the example, likewise."""
        definition = Definition.objects.get(name=DEFINITION)
        compose = Compose.objects.filter(revision__definition=definition, variant=VARIANT).order_by("-pk").first()
        if compose is None:
            return Compose.objects.submit(definition=definition, variant=VARIANT, by=person)
        if compose.task.state in (State.FAILED, State.CANCELED):
            compose.retry(by=person)
        return compose

    def see_through(self, job: Build | Compose) -> None:
        """Follow to the end. Raises ToolError when that is not a good one."""
        where = f"{settings.PUBLIC_ADDRESS}{job.get_absolute_url()}"
        was_over = job.task.is_final
        self.stdout.write(f"{job.task.title}: {where}")
        task = follow(Task.objects.get(pk=job.task.pk), self.screen, check=self.check_running)
        if task.state != State.COMPLETED:
            raise failure(task, where)
        took = duration(task.finished_at - task.created_at) if task.finished_at else "?"
        what = f"{job.artifacts.count()} artifacts"
        self.stdout.write(f"{task.title}: completed {'before' if was_over else f'in {took}'}, {what}")

    def check_running(self) -> None:
        if self.pid_file.pid() is None:
            raise ToolError("DebAtomic has ended while this waited for it.", hint=f"Why is in {self.log}.")

    def tell_where(self) -> None:
        call_command("make_users", "--show", stdout=self.stdout)
        self.stdout.write(f"Open {settings.PUBLIC_ADDRESS}/ — `make stop` ends it.")


def failure(task: Task, where: str) -> ToolError:
    """Why it failed, as the task of it that knows tells, with the lines that decided it."""
    failed = task.children.filter(state=State.FAILED).order_by("pk").first() or task
    reason = failed.reason or task.reason or "no reason is known."
    return ToolError(f"{task.title} {task.state}: {reason}", hint=f"Its log: {where}", lines=failed.decisive[-8:])
