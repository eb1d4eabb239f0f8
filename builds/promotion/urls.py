"""Addresses of promotion."""

from django.urls import path

from builds.promotion import policy_views, promotion_views

urlpatterns = [
    path("", policy_views.policy_list, name="promotion-list"),
    path("policy.schema.json", policy_views.policy_schema, name="promotion-schema"),
    path("-/new/", policy_views.policy_edit, name="promotion-new"),
    path("-/check/", policy_views.policy_check, name="promotion-check"),
    path("-/test/", promotion_views.promotion_test, name="promotion-test"),
    path("<slug:name>/", promotion_views.promotion_board, name="promotion-board"),
    path("<slug:name>/move/", promotion_views.promotion_move, name="promotion-move"),
    path("<slug:name>/policy/", policy_views.policy_detail, name="promotion-policy"),
    path("<slug:name>/policy/<int:number>/", policy_views.revision_detail, name="promotion-revision"),
    path("<slug:name>/edit/", policy_views.policy_edit, name="promotion-edit"),
    path("<slug:name>/switch/", policy_views.policy_switch, name="promotion-switch"),
]
