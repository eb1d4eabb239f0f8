"""Addresses of builds."""

from django.urls import include, path

from builds import views
from builds.chains import chain_urls
from builds.keeping import urls as keeping
from builds.provenance.urls import urlpatterns as provenance
from builds.quality import check_urls
from builds.submitting import upload
from builds.submitting import views as submitting
from builds.tagging import repository_views, tag_views

urlpatterns = [
    *keeping.urlpatterns,
    *check_urls.urlpatterns,
    path("builds/", views.build_list, name="build-list"),
    path("builds/new/", views.build_new, name="build-new"),
    path("builds/many/", submitting.build_many, name="build-many"),
    path("builds/git/", submitting.build_git, name="build-git"),
    path("builds/<int:pk>/", views.build_detail, name="build"),
    path("builds/<int:pk>/row/", views.build_row, name="build-row"),
    path("builds/<int:pk>/cancel/", views.build_cancel, name="build-cancel"),
    path("builds/<int:pk>/compare/", views.build_compare, name="build-compare"),
    path("builds/<int:pk>/resubmit/", views.build_resubmit, name="build-resubmit"),
    path("builds/<int:pk>/rebuild/", submitting.build_rebuild, name="build-rebuild"),
    path("builds/<int:pk>/retry/", views.build_retry, name="build-retry"),
    path("targets/<slug:name>/edit/", submitting.target_edit, name="target-edit"),
    path("upload/dput.cf", upload.dput_profile, name="dput-profile"),
    path("upload/<slug:target>/<str:name>", upload.UploadView.as_view(), name="upload"),
    path(
        "upload/<slug:target>/scratch/<str:name>", upload.UploadView.as_view(), {"scratch": "scratch"}, "upload-scratch"
    ),
    *chain_urls.urlpatterns,
    path("tags/", tag_views.tag_list, name="tag-list"),
    path("tags/-/new/", tag_views.tag_edit, name="tag-new"),
    path("tags/<slug:name>/", tag_views.tag_detail, name="tag"),
    path("tags/<slug:name>/history/", tag_views.tag_history, name="tag-history"),
    path("tags/<slug:name>/edit/", tag_views.tag_edit, name="tag-edit"),
    path("tags/<slug:name>/add/", tag_views.tag_add, name="tag-add"),
    path("tags/<slug:name>/remove/<int:pk>/", tag_views.tag_remove, name="tag-remove"),
    path("tags/<slug:name>/block/", tag_views.tag_block, name="tag-block"),
    path("tags/<slug:name>/unblock/<str:source>/", tag_views.tag_unblock, name="tag-unblock"),
    path("tags/<slug:name>/lock/", tag_views.tag_lock, name="tag-lock"),
    path("tags/<slug:name>/repository/", repository_views.repository_edit, name="repository-edit"),
    path("promotion/", include("builds.promotion.urls")),
    path("repositories/", repository_views.repository_list, name="repository-list"),
    path("repositories/keys.asc", repository_views.public_keys, name="repository-keys"),
    path("repositories/<slug:suite>/", repository_views.repository_detail, name="repository"),
    path("repositories/<slug:suite>/debatomic.sources", repository_views.sources, name="repository-sources"),
    path("repositories/<slug:suite>/<path:name>", repository_views.file, name="repository-file"),
    *provenance,
]
