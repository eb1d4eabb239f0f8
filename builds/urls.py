"""Addresses of builds."""

from django.urls import path

from builds import views

urlpatterns = [
    path("builds/", views.build_list, name="build-list"),
    path("builds/new/", views.build_new, name="build-new"),
    path("builds/<int:pk>/", views.build_detail, name="build"),
    path("builds/<int:pk>/row/", views.build_row, name="build-row"),
    path("builds/<int:pk>/cancel/", views.build_cancel, name="build-cancel"),
    path("builds/<int:pk>/compare/", views.build_compare, name="build-compare"),
    path("builds/<int:pk>/resubmit/", views.build_resubmit, name="build-resubmit"),
    path("builds/<int:pk>/retry/", views.build_retry, name="build-retry"),
]
