"""The addresses of logs over plain HTTP; `task-log`, with a slash at its end, is the page that shows one."""

from django.urls import path

from hosts.live import log_views

log_urlpatterns = [
    path("tasks/<int:pk>/log/<int:attempt>/<str:name>", log_views.log_bytes, name="log-bytes"),
    path("tasks/<int:pk>/log/<int:attempt>/<str:name>/raw", log_views.log_raw, name="log-raw"),
]
