"""What promotion policies know of builds by default: what checks said, and which known key signed the source."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from builds.models import Build
from builds.promotion import evidence
from builds.promotion.evidence import Result
from builds.quality import check_models as checks

WORDS = {checks.PASS: "passed", checks.WARN: "warned", checks.FAIL: "failed", checks.SKIP: "skipped",
         checks.ERROR: "failed"}  # fmt: skip
WORST = (checks.WAITING, checks.ERROR, checks.FAIL, checks.WARN, checks.PASS, checks.SKIP)


def results(builds: Collection[int]) -> Mapping[int, Mapping[str, Result]]:
    """By check, the worst of a build's architectures; a check that is not done on all of them is not known yet."""
    return {build: _worst(said) for build, said in checks.results_of(builds).items()}


def _worst(said: Iterable[checks.CheckResult]) -> dict[str, Result]:
    found: dict[str, checks.CheckResult] = {}
    for each in said:
        before = found.setdefault(each.check_name, each)
        if WORST.index(each.verdict) < WORST.index(before.verdict):
            found[each.check_name] = each
    return {name: Result(WORDS[each.verdict], each.summary) for name, each in found.items() if not each.is_live}


def signatures(builds: Collection[int]) -> Mapping[int, Mapping[str, str]]:
    """By the fingerprint of a key that the build's target names."""
    rows = Build.objects.filter(pk__in=builds).exclude(signed_by="").values_list("pk", "signed_by", "signature")
    return {build: {key.upper(): told} for build, key, told in rows}


def register_readers() -> None:
    """Have policies ask them."""
    evidence.results.register(results)
    evidence.signatures.register(signatures)
