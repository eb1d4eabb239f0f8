"""The addresses of WebSockets."""

from django.urls import path, re_path

from hosts.live.consumers import EventConsumer, LogConsumer, NowhereConsumer

websocket_urlpatterns = [
    path("ws/logs/<int:task>/<int:attempt>/<str:name>/", LogConsumer.as_asgi()),
    path("ws/events/", EventConsumer.as_asgi()),
    re_path(r"", NowhereConsumer.as_asgi()),
]
