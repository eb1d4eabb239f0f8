"""The application as daphne serves it: pages and API over HTTP, logs and events over WebSockets."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "debatomic.settings")
pages = get_asgi_application()  # loads the apps, which everything below needs

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402

from builds.tagging import repository_views  # noqa: E402
from composes.releases import ostree_views  # noqa: E402
from debatomic.served_files import Files  # noqa: E402
from hosts.live.presence import Present  # noqa: E402
from hosts.live.routing import websocket_urlpatterns  # noqa: E402

sockets = AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))
files = Files(pages, ostree_views.tree, repository_views.tree)
application = Present(ProtocolTypeRouter({"http": files, "websocket": sockets}))
