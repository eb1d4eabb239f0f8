"""How the API tells of checks."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from builds.quality.check_models import LEVELS, VERDICTS, CheckResult
from builds.quality.gates import LEAST_REASON, MOST_REASON
from chroots.engine.checking.table import ALL
from debatomic.access.rows import RowSerializer
from hosts.api.serializers import ArtifactSerializer, LinesField


class PackageTestSerializer(serializers.Serializer[Any]):
    """What one test of the source package came to, in autopkgtest's words."""

    name = serializers.CharField()
    result = serializers.ChoiceField(choices=["PASS", "FAIL", "SKIP", "FLAKY"])
    detail = serializers.CharField(allow_blank=True)


class VerdictSerializer(RowSerializer[CheckResult]):
    """What a check says, in short; `blocks`: it keeps the build from its target's tag."""

    check = serializers.CharField(source="check_name", read_only=True)
    verdict = serializers.ChoiceField(choices=VERDICTS, read_only=True)
    blocks = serializers.BooleanField(read_only=True)

    class Meta:
        model = CheckResult
        fields: tuple[str, ...] = ("id", "check", "architecture", "level", "verdict", "blocks")


class CheckSerializer(VerdictSerializer):
    """What a check says of a build on one architecture."""

    summary = serializers.CharField(read_only=True)
    decisive = LinesField(read_only=True)
    tests = PackageTestSerializer(many=True, read_only=True)
    reports = ArtifactSerializer(many=True, read_only=True)
    overridden_by: Any = serializers.SlugRelatedField(slug_field="username", read_only=True)

    class Meta(VerdictSerializer.Meta):
        fields = ("id", "build", "check", "architecture", "level", "verdict", "blocks", "summary", "decisive",
                  "tests", "task", "reports", "created_at", "judged_at", "overridden_at", "overridden_by",
                  "override_reason")  # fmt: skip


class CheckOverrideSerializer(serializers.Serializer[Any]):
    """Why the build may pass."""

    reason = serializers.CharField(min_length=LEAST_REASON, max_length=MOST_REASON)


class PolicySerializer(serializers.Serializer[Any]):
    """One check of a target's policy."""

    check = serializers.ChoiceField(choices=[(one.name, one.title) for one in ALL])
    level = serializers.ChoiceField(choices=LEVELS)
