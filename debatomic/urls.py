"""All addresses."""

from django.urls import URLPattern, URLResolver, include, path

from debatomic import views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.dashboard, name="dashboard"),
    path("search/", views.search, name="search"),
    path("", include("builds.urls")),
    path("", include("composes.urls")),
    path("", include("chroots.urls")),
    path("", include("hosts.urls")),
    path("", include("debatomic.access.urls")),
    path("api/v1/builder/", include("hosts.builder.builder_api")),
    path("api/v1/", include("debatomic.api")),
]
