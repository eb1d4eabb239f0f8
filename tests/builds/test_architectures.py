"""Which architectures a source package is built on."""

from __future__ import annotations

import pytest

from builds.architectures import plan
from debatomic.tools.errors import InputError


@pytest.mark.parametrize(
    ("wanted", "available", "planned"),
    [
        (["any"], ["amd64"], {"amd64": "any"}),
        (["all"], ["amd64"], {"amd64": "all"}),
        (["any", "all"], ["amd64"], {"amd64": "binary"}),
        (["any", "all"], ["arm64", "amd64"], {"amd64": "binary", "arm64": "any"}),
        (["all"], ["arm64", "amd64"], {"amd64": "all"}),
        (["arm64", "all"], ["arm64", "amd64"], {"arm64": "binary"}),
        (["linux-any"], ["amd64", "riscv64"], {"amd64": "any", "riscv64": "any"}),
        (["any-amd64", "i386"], ["amd64", "arm64"], {"amd64": "any"}),
    ],
)
def test_what_is_made_where(wanted: list[str], available: list[str], planned: dict[str, str]) -> None:
    assert plan(wanted, available) == planned


@pytest.mark.parametrize(("wanted", "available"), [(["arm64"], ["amd64"]), (["any"], []), ([], ["amd64"])])
def test_a_package_for_no_architecture_of_the_target_is_refused(wanted: list[str], available: list[str]) -> None:
    with pytest.raises(InputError, match="the target has") as caught:
        plan(wanted, available)
    assert caught.value.field == "target"
