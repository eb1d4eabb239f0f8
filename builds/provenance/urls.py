"""Addresses of packages, their files and where they come from."""

from django.urls import path

from builds.provenance import package_views

urlpatterns = [
    path("packages/", package_views.package_list, name="package-list"),
    path("packages/<str:source>/", package_views.package_detail, name="package"),
]
