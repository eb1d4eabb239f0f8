"""Addresses of chains."""

from django.urls import path

from builds.chains import chain_views

urlpatterns = [
    path("chains/", chain_views.chain_list, name="chain-list"),
    path("chains/new/", chain_views.chain_new, name="chain-new"),
    path("chains/<int:pk>/", chain_views.chain_detail, name="chain"),
    path("chains/<int:pk>/cancel/", chain_views.chain_cancel, name="chain-cancel"),
    path("chains/<int:pk>/retry/", chain_views.chain_retry, name="chain-retry"),
    path("chains/targets/<slug:name>/", chain_views.target_chains, name="target-chains"),
]
