"""Addresses of composes, and of the OSTree repository and the registry that machines pull from."""

from django.urls import path

from composes import resubmit_views, views
from composes.comparing import comparison_views
from composes.defining import definition_views, git_views
from composes.releases import ostree_views, registry_views, release_views

urlpatterns = [
    path("composes/", views.compose_list, name="compose-list"),
    path("composes/new/", views.compose_new, name="compose-new"),
    path("composes/<int:pk>/", views.compose_detail, name="compose"),
    path("composes/<int:pk>/row/", views.compose_row, name="compose-row"),
    path("composes/<int:pk>/packages/", views.compose_packages, name="compose-packages"),
    path("composes/<int:pk>/compare/", comparison_views.comparison, name="compose-compare"),
    path("composes/<int:pk>/resubmit/", resubmit_views.compose_resubmit, name="compose-resubmit"),
    path("composes/<int:pk>/cancel/", views.compose_cancel, name="compose-cancel"),
    path("composes/<int:pk>/retry/", views.compose_retry, name="compose-retry"),
    path("composes/retention/", release_views.compose_retention, name="compose-retention"),
    path("composes/<int:pk>/<slug:name>.json", release_views.compose_metadata, name="compose-metadata"),
    path("releases/", release_views.channel_list, name="release-list"),
    path("releases/<int:pk>/", release_views.channel_detail, name="release-channel"),
    path("releases/<int:pk>/promote/", release_views.promote, name="release-promote"),
    path("releases/<int:pk>/withdraw/", release_views.withdraw, name="release-withdraw"),
    path("composes/<int:pk>/override/", views.compose_override, name="compose-override"),
    path("definitions/", definition_views.definition_list, name="definition-list"),
    path("definitions/new/", definition_views.definition_edit, name="definition-new"),
    path("definitions/follow/", git_views.definition_follow, name="definition-follow-new"),
    path("definitions/check/", definition_views.definition_check, name="definition-check"),
    path("definitions/treefile.schema.json", definition_views.schema, name="treefile-schema"),
    path("definitions/<slug:name>/", definition_views.definition_detail, name="definition"),
    path("definitions/<slug:name>/follow/", git_views.definition_follow, name="definition-follow"),
    path("definitions/<slug:name>/unfollow/", git_views.definition_unfollow, name="definition-unfollow"),
    path("definitions/<slug:name>/sync/", git_views.definition_sync, name="definition-sync"),
    path("definitions/<slug:name>/packages/", git_views.definition_attach, name="definition-attach"),
    path("definitions/<slug:name>/packages/<int:pk>/remove/", git_views.definition_detach, name="definition-detach"),
    path("definitions/<slug:name>/edit/", definition_views.definition_edit, name="definition-edit"),
    path("definitions/<slug:name>/<int:number>/", definition_views.revision_detail, name="revision"),
    path(
        "definitions/<slug:name>/<int:number>/<str:variant>/<str:architecture>.<str:form>",
        definition_views.resolved,
        name="revision-resolved",
    ),
    path("v2/", registry_views.front, name="registry"),
    path("v2/<slug:definition>/<slug:variant>/tags/list", registry_views.tags, name="registry-tags"),
    path(
        "v2/<slug:definition>/<slug:variant>/manifests/<str:reference>",
        registry_views.manifest,
        name="registry-manifest",
    ),
    path("v2/<slug:definition>/<slug:variant>/blobs/<str:digest>", registry_views.blob, name="registry-blob"),
    path("ostree/", ostree_views.front, name="ostree"),
    path("ostree/keys.asc", release_views.public_keys, name="ostree-keys"),
    path("ostree/<path:name>", ostree_views.file, name="ostree-file"),
]
