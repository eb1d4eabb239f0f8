"""Pages of people and their rights."""

from django.urls import path

from debatomic.access import administration, views

urlpatterns = [
    path("sign-in/", views.SignIn.as_view(), name="sign-in"),
    path("sign-out/", views.SignOut.as_view(), name="sign-out"),
    path("account/", views.account, name="account"),
    path("account/password/", views.ChangePassword.as_view(), name="password"),
    path("account/keys/", views.api_keys, name="api-keys"),
    path("account/keys/<str:key>/revoke/", views.api_key_revoke, name="api-key-revoke"),
    path("users/", administration.user_list, name="user-list"),
    path("users/<int:pk>/", administration.user_change, name="user-change"),
    path("users/<int:pk>/new-password/", administration.user_new_password, name="user-new-password"),
    path("audit/", administration.audit, name="audit"),
]
