"""Addresses of chroots."""

from django.urls import path

from chroots import verb_views, views
from chroots.trying import pages as trying

urlpatterns = [
    path("chroots/", views.chroot_list, name="chroot-list"),
    path("chroots/new/", verb_views.chroot_new, name="chroot-new"),
    path("chroots/<str:name>/", views.chroot_detail, name="chroot"),
    path("chroots/<str:name>/packages/", views.chroot_packages, name="chroot-packages"),
    path("chroots/<str:name>/refreshes/", views.chroot_refreshes, name="chroot-refreshes"),
    path("chroots/<str:name>/difference/", views.chroot_difference, name="chroot-difference"),
    path("chroots/<str:name>/builds/", views.chroot_uses, name="chroot-uses"),
    path("chroots/<str:name>/try/", trying.chroot_try, name="chroot-try"),
    path("chroots/<str:name>/tries/<int:pk>/", trying.trial, name="chroot-trial"),
    path("chroots/<str:name>/edit/", verb_views.chroot_edit, name="chroot-edit"),
    path("chroots/<str:name>/delete/", verb_views.chroot_delete, name="chroot-delete"),
    path("chroots/<str:name>/enable/", verb_views.chroot_enable, name="chroot-enable"),
    path("chroots/<str:name>/disable/", verb_views.chroot_disable, name="chroot-disable"),
    path("chroots/<str:name>/refresh/", verb_views.chroot_refresh, name="chroot-refresh"),
    path("chroots/<str:name>/scrub/", verb_views.chroot_scrub, name="chroot-scrub"),
    path("chroots/<str:name>/clean/", verb_views.chroot_clean, name="chroot-clean"),
]
