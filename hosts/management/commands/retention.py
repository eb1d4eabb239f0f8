"""`manage.py retention`: what would be removed for its age, or remove it now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from debatomic.templatetags.pages import size
from hosts.kept import retention


class Command(BaseCommand):
    help = "Say what retention would remove (a dry run), by the ages of the settings or those given here."

    def add_arguments(self, parser: CommandParser) -> None:
        for name in ("logs", "artifacts", "tasks"):
            parser.add_argument(f"--{name}", type=int, metavar="DAYS", choices=range(retention.MOST_DAYS + 1),
                                help=f"{name} that are older; 0: none")  # fmt: skip
        parser.add_argument("--remove", action="store_true", help="remove it now, a batch at a time")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = retention.changed({name: options[name] for name in ("logs", "artifacts", "tasks")})
        plans = retention.plans(wanted)
        if not plans:
            self.stdout.write("No age is set: nothing would go.")
        for plan in plans:
            verb = "removing" if options["remove"] else "would remove"
            self.stdout.write(f"{verb} {plan.number} {plan.kind} older than {plan.days} days, {size(plan.size)}")
            for example in plan.examples if not options["remove"] else ():
                self.stdout.write(f"  {example}")
            while options["remove"] and retention.remove(plan.kind, plan.days):
                pass
