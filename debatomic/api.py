"""/api/v1/: every resource of every app, its description and the page to try it."""

from __future__ import annotations

from typing import Any

from csp.decorators import csp_update
from django.urls import URLPattern, URLResolver, include, path
from django.utils.decorators import method_decorator
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.routers import APIRootView, DefaultRouter

from builds.api import BuildViewSet, TargetViewSet
from builds.chains.chain_api import ChainViewSet
from builds.comparing.api import DifferenceView
from builds.keeping.api import LeavingViewSet
from builds.promotion.promotion_api import PromotionPolicyViewSet
from builds.provenance.file_views import FilesView
from builds.provenance.origin_api import AttestationViewSet, BinaryViewSet
from builds.provenance.package_api import PackageViewSet
from builds.quality.check_api import CheckViewSet
from builds.submitting.git_api import GitView
from builds.submitting.many_api import ManyView
from builds.submitting.rebuild_api import RebuildView
from builds.tagging.tag_api import RepositoryViewSet, TagViewSet
from chroots.api import ChrootViewSet
from composes.api import ComposeViewSet
from composes.defining.definition_api import DefinitionViewSet
from composes.releases.release_api import ReleaseChannelViewSet
from debatomic.access import schema as _schemes  # noqa: F401  describes the ways to sign in
from debatomic.access.api import KeyViewSet, MeView
from hosts.api.host_api import HostViewSet, RegistrationViewSet, ScalingViewSet
from hosts.api.schedule_api import ScheduleViewSet
from hosts.api.statistics_api import RetentionViewSet, StatisticsViewSet
from hosts.api.tasks import ArtifactViewSet, ChannelViewSet, TaskViewSet
from hosts.api.window_api import WindowViewSet


class Root(APIRootView):
    """What there is: `schema/` describes it, `docs/` lets you try it."""

    public = True


class Router(DefaultRouter):
    include_format_suffixes = False
    APIRootView = Root


router = Router()
for prefix, viewset, name in (
    ("tasks", TaskViewSet, "task"),
    ("schedules", ScheduleViewSet, "schedule"),
    ("windows", WindowViewSet, "window"),
    ("hosts", HostViewSet, "host"),
    ("channels", ChannelViewSet, "channel"),
    ("registrations", RegistrationViewSet, "registration"),
    ("statistics", StatisticsViewSet, "statistics"),
    ("retention", RetentionViewSet, "retention"),
    ("scaling", ScalingViewSet, "scaling"),
    ("artifacts", ArtifactViewSet, "artifact"),
    ("targets", TargetViewSet, "target"),
    ("builds", BuildViewSet, "build"),
    ("leaving", LeavingViewSet, "leaving"),
    ("packages", PackageViewSet, "package"),
    ("binaries", BinaryViewSet, "binary"),
    ("attestations", AttestationViewSet, "attestation"),
    ("checks", CheckViewSet, "check"),
    ("chains", ChainViewSet, "chain"),
    ("tags", TagViewSet, "tag"),
    ("promotion-policies", PromotionPolicyViewSet, "promotion-policy"),
    ("repositories", RepositoryViewSet, "repository"),
    ("chroots", ChrootViewSet, "chroot"),
    ("definitions", DefinitionViewSet, "definition"),
    ("composes", ComposeViewSet, "compose"),
    ("release-channels", ReleaseChannelViewSet, "release-channel"),
    ("keys", KeyViewSet, "key"),
):
    router.register(prefix, viewset, basename=name)


def without_builders(endpoints: list[Any], **_: Any) -> list[Any]:
    """Leave out of the description what only hosts talk (hosts.builder.builder_api)."""
    return [one for one in endpoints if not one[0].startswith("/api/v1/builder/")]


@method_decorator(csp_update({"style-src": ["'self'", "'unsafe-inline'"]}), name="dispatch")
class DocsView(SpectacularSwaggerSplitView):
    """The API to read and to try, in the browser. Swagger UI sets styles itself: allowed on this page only."""

    permission_classes = [AllowAny]
    url_name = "api:schema"


resources: list[URLPattern | URLResolver] = [
    path("schema/", SpectacularAPIView.as_view(permission_classes=[AllowAny]), name="schema"),
    path("files/", FilesView.as_view(), name="files"),
    path("users/me/", MeView.as_view(), name="me"),
    path("builds/many/", ManyView.as_view(), name="build-many"),
    path("builds/git/", GitView.as_view(), name="build-git"),
    path("packages/<str:name>/difference/", DifferenceView.as_view(), name="package-difference"),
    path("builds/<int:pk>/rebuild/", RebuildView.as_view(), name="build-rebuild"),
    path("", include(router.urls)),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("docs/", DocsView.as_view(), name="api-docs"),
    path("", include((resources, "api"))),
]
