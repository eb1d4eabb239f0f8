"""Addresses of chroots."""

from django.urls import path

from chroots import views

urlpatterns = [
    path("chroots/", views.chroot_list, name="chroot-list"),
    path("chroots/<str:name>/", views.chroot_detail, name="chroot"),
    path("chroots/<str:name>/refresh/", views.chroot_refresh, name="chroot-refresh"),
]
