"""Addresses of checks."""

from django.urls import path

from builds.quality import check_views

urlpatterns = [
    path("checks/", check_views.check_list, name="check-list"),
    path("checks/<int:pk>/retry/", check_views.check_retry, name="check-retry"),
    path("checks/<int:pk>/override/", check_views.check_override, name="check-override"),
    path("targets/<slug:name>/checks/", check_views.target_checks, name="target-checks"),
    path("targets/<slug:name>/checks/set/", check_views.target_checks_set, name="target-checks-set"),
]
