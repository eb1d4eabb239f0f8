"""Addresses of packages, their files and where they come from."""

from django.urls import path

from builds.comparing.views import package_difference
from builds.provenance import file_views, origin_views, package_views

urlpatterns = [
    path("packages/", package_views.package_list, name="package-list"),
    path("packages/<str:source>/", package_views.package_detail, name="package"),
    path("packages/<str:source>/difference/", package_difference, name="package-difference"),
    path("files/", file_views.file_search, name="file-search"),
    path("binaries/<int:pk>/", origin_views.binary_detail, name="binary"),
]
