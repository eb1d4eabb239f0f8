"""Addresses of what leaves and what is kept."""

from django.urls import path

from builds.keeping import views

urlpatterns = [
    path("builds/leaving/", views.leaving_list, name="build-leaving"),
    path("builds/<int:pk>/keep/", views.build_keep, name="build-keep"),
    path("tags/<slug:name>/retention/", views.tag_retention, name="tag-retention"),
    path("tags/<slug:name>/retention/snapshots/<int:pk>/keep/", views.snapshot_keep, name="snapshot-keep"),
]
