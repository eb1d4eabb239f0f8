"""Many source packages in one go, in the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from builds.models import Build, Target
from builds.submitting.many import MOST, Asked, Look, Outcome, look, submit_all
from builds.submitting.rebuilds import asked as rebuild
from chroots.engine.binnmu import LONGEST
from debatomic.access.checks import may, person, require
from debatomic.access.fields import NameField
from debatomic.addresses import address_of
from hosts.api.serializers import WishesSerializer

NOTHING, ALL, GOOD = "nothing", "all", "good"


class ManySerializer(WishesSerializer):
    """Source packages of the archive: names (`jq`), versions (`jq 1.7.1-6`), patterns (`lib*-perl`)."""

    sources = serializers.ListField(child=serializers.CharField(max_length=200), max_length=MOST, required=False)
    reverse_build_depends = serializers.ListField(
        child=serializers.CharField(max_length=110), max_length=20, required=False,
        help_text="Packages (libfoo-dev, or src:libfoo): all source packages that build-depend on one of them, too.",
    )  # fmt: skip
    target = NameField("target", queryset=Target.objects.filter(enabled=True))
    scratch = serializers.BooleanField(default=False)
    architectures = serializers.ListField(child=serializers.CharField(max_length=20), required=False)
    binnmu_reason = serializers.CharField(
        max_length=LONGEST, required=False, allow_blank=True, trim_whitespace=False,
        help_text="Makes them binary rebuilds (binNMU), version X+bN; their changelogs say this.",
    )  # fmt: skip
    submit = serializers.ChoiceField(
        choices=(NOTHING, ALL, GOOD), default=NOTHING,
        help_text="nothing: only say what would become of it; all: unless one is refused; good: those that are not.",
    )  # fmt: skip


class LookSerializer(serializers.Serializer[Any]):
    """One source package: `why` it is refused, and the page that says more."""

    source: Any = serializers.CharField()
    version = serializers.CharField(allow_blank=True)
    why = serializers.CharField(allow_blank=True)
    page = serializers.CharField(allow_blank=True)


class MadeSerializer(serializers.Serializer[Any]):
    """A build that was submitted."""

    id = serializers.IntegerField()
    source: Any = serializers.CharField()
    version = serializers.CharField()
    page = serializers.CharField()


class OutcomeSerializer(serializers.Serializer[Any]):
    """What would be submitted, what is refused, and what was submitted."""

    good = LookSerializer(many=True)
    refused = LookSerializer(many=True)
    builds = MadeSerializer(many=True)


class ManyView(APIView):
    """Look at many source packages, and submit them if told so."""

    public = True

    @extend_schema(request=ManySerializer, responses=OutcomeSerializer, operation_id="builds_many_create")
    def post(self, request: Request) -> Response:
        """Answers 201 where builds were submitted, 200 where none were."""
        require(may(request.user, "builds.submit") or may(request.user, "builds.scratch"))
        sent = ManySerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        wanted = sent.validated_data
        require(may(request.user, "builds.scratch" if wanted["scratch"] else "builds.submit"))
        asked = Asked(
            target=wanted["target"], lines=wanted.get("sources", ()), by=person(request.user),
            scratch=wanted["scratch"], needing=wanted.get("reverse_build_depends", ()),
            architectures=wanted.get("architectures", ()), rebuild=rebuild(wanted.get("binnmu_reason", ""), 0),
            wishes=WishesSerializer.wishes(dict(wanted), []),
        )  # fmt: skip
        how = wanted["submit"]
        outcome = look(asked) if how == NOTHING else submit_all(asked, although=how == GOOD)
        done = status.HTTP_201_CREATED if outcome.builds else status.HTTP_200_OK
        return Response(_told(outcome, request), status=done)


def made_of(build: Build, request: Request) -> dict[str, Any]:
    """As MadeSerializer has it."""
    page = request.build_absolute_uri(address_of("build", build.pk))
    return {"id": build.pk, "source": build.source, "version": build.version, "page": page}


def _told(outcome: Outcome, request: Request) -> dict[str, Any]:
    def one(look: Look) -> dict[str, str]:
        page = request.build_absolute_uri(look.page) if look.page else ""
        return {"source": look.source, "version": look.version, "why": look.why, "page": page}

    builds = [made_of(build, request) for build in outcome.builds]
    return {"good": [one(each) for each in outcome.good], "refused": [one(each) for each in outcome.refused],
            "builds": builds}  # fmt: skip
