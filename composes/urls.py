"""Addresses of composes, and of the OSTree repository machines pull from."""

from django.urls import path

from composes import ostree_views, views

urlpatterns = [
    path("composes/", views.compose_list, name="compose-list"),
    path("composes/new/", views.compose_new, name="compose-new"),
    path("composes/<int:pk>/", views.compose_detail, name="compose"),
    path("composes/<int:pk>/row/", views.compose_row, name="compose-row"),
    path("composes/<int:pk>/packages/", views.compose_packages, name="compose-packages"),
    path("composes/<int:pk>/cancel/", views.compose_cancel, name="compose-cancel"),
    path("composes/<int:pk>/retry/", views.compose_retry, name="compose-retry"),
    path("ostree/", ostree_views.front, name="ostree"),
    path("ostree/<path:name>", ostree_views.file, name="ostree-file"),
]
