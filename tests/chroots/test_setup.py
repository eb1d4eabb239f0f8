"""`manage.py setup`: which chroots the application has at first."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from chroots.models import Chroot

FIRST = ["bookworm-amd64", "trixie-amd64"]


def names() -> list[str]:
    return sorted(Chroot.objects.values_list("name", flat=True))


@pytest.mark.django_db
def test_setup_makes_two_chroots_and_others_when_asked() -> None:
    call_command("setup")
    call_command("setup")
    assert names() == FIRST
    call_command("setup", "--chroots", "forky-arm64", "trixie-amd64-minbase")
    assert names() == ["bookworm-amd64", "forky-arm64", "trixie-amd64", "trixie-amd64-minbase"]
    assert Chroot.objects.get(name="forky-arm64").architecture == "arm64"
    with pytest.raises(CommandError, match="There is no chroot 'forky-amd46'; did you mean forky-a"):
        call_command("setup", "--chroots", "forky-amd46")
