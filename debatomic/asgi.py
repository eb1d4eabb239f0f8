"""The application as daphne serves it: pages and API over HTTP, logs and events over WebSockets."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "debatomic.settings")
application = get_asgi_application()
