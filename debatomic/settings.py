"""All settings of DebAtomic, from the environment only; `docs/settings.md` lists them."""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

from csp.constants import SELF

from debatomic import environment as env

BASE_DIR = Path(__file__).resolve().parent.parent

# Where things are kept
HOME = env.folder("DEBATOMIC_HOME", BASE_DIR / "var")
env.private_folder(HOME)
HUB_ADDRESS = env.address("DEBATOMIC_HUB")  # set on a builder host elsewhere: no database, no hub secret
HOST_NAME = env.text("DEBATOMIC_HOST_NAME", socket.gethostname())
HOST_TOKEN_FILE = env.text("DEBATOMIC_HOST_TOKEN_FILE", str(HOME / "host-token"))
STATE = env.folder("DEBATOMIC_STATE", HOME / "host")  # the builder's layers and caches
LOGS = HOME / "logs"
ARTIFACTS_BUCKET = env.bucket("DEBATOMIC_ARTIFACTS")  # ("name", "prefix/"); None: in a folder
ARTIFACTS = HOME / "artifacts" if ARTIFACTS_BUCKET else env.folder("DEBATOMIC_ARTIFACTS", HOME / "artifacts")
ARTIFACTS_PLACE = "hosts.kept.bucket.Bucket" if ARTIFACTS_BUCKET else "hosts.kept.folder.Folder"
S3_ENDPOINT = env.address("DEBATOMIC_S3_ENDPOINT")  # empty: Amazon's
S3_REGION = env.text("DEBATOMIC_S3_REGION", "us-east-1")
S3_REDIRECT = env.flag("DEBATOMIC_S3_REDIRECT", False)  # browsers fetch from there by themselves
OSTREE = HOME / "ostree"
REPOSITORIES = HOME / "repositories"  # APT's
SIGNING = env.folder("DEBATOMIC_SIGNING", HOME / "signing")  # gpg's folder; only the hub's builder reads it
IS_REMOTE_BUILDER = bool(HUB_ADDRESS)

# Web
DEBUG = env.flag("DEBATOMIC_DEBUG", False)
SECRET_KEY = env.secret("DEBATOMIC_SECRET_KEY", HOME / "secret-key")
PORT = env.port("DEBATOMIC_PORT", 8000)
BIND = env.text("DEBATOMIC_BIND", "127.0.0.1")
PUBLIC_ADDRESS = env.address("DEBATOMIC_ADDRESS") or f"http://{BIND}:{PORT}"
ALLOWED_HOSTS = env.words("DEBATOMIC_ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]", socket.gethostname()])
CSRF_TRUSTED_ORIGINS = env.words("DEBATOMIC_TRUSTED_ORIGINS", [PUBLIC_ADDRESS])
BEHIND_TLS = PUBLIC_ADDRESS.startswith("https:")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SESSION_COOKIE_HTTPONLY = True
X_FRAME_OPTIONS = "DENY"
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]  # HSTS and the way to https: the proxy that ends TLS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
PUBLIC_READING = env.flag("DEBATOMIC_PUBLIC", True)  # signed-out visitors may see public builds and composes

# Work
LEASE = timedelta(seconds=env.number("DEBATOMIC_LEASE_SECONDS", 60, least=2))
HEARTBEAT_SECONDS = env.number("DEBATOMIC_HEARTBEAT_SECONDS", 1, least=0.1, most=30)
POLL_SECONDS = env.number("DEBATOMIC_POLL_SECONDS", 0.8 if IS_REMOTE_BUILDER else 0.2, least=0.05, most=60)
GRACE = timedelta(seconds=env.number("DEBATOMIC_GRACE_SECONDS", 1, most=60))
CAPACITY = env.number("DEBATOMIC_CAPACITY", 2, least=1, most=256)
MIRROR = env.address("DEBATOMIC_MIRROR")  # empty: the machine's own apt configuration
SECURITY_TRACKER = env.text("DEBATOMIC_SECURITY_TRACKER", "https://security-tracker.debian.org/tracker/data/json")
COMPOSE_STORE_GIB = env.number("DEBATOMIC_COMPOSE_STORE_GIB", 20, least=1, most=1e6)  # results kept for reuse
COMPOSE_STORE_DAYS = env.number("DEBATOMIC_COMPOSE_STORE_DAYS", 30, least=0.01, most=36500)
SNAPSHOTS = env.text("DEBATOMIC_SNAPSHOTS", "https://snapshot.debian.org/archive/debian/{date}")  # Debian's, then
GIT_PROTOCOLS = env.words("DEBATOMIC_GIT_PROTOCOLS", ["https"])  # definitions may be fetched by; http, ssh, file, too
GIT_HOSTS = env.words("DEBATOMIC_GIT_HOSTS", [])  # may be asked although they are not public
LAYERS_BYTES = int(env.number("DEBATOMIC_LAYERS_GIB", 20, least=0.1) * (1 << 30))  # of all a builder keeps
LAYERS_DAYS = env.number("DEBATOMIC_LAYERS_DAYS", 30, least=0.1)  # since one was last used
UPLOAD_LIMIT_BYTES = int(env.number("DEBATOMIC_UPLOAD_LIMIT_MB", 2048, least=1) * 1024 * 1024)
EXAMINE_SECONDS = env.number("DEBATOMIC_EXAMINE_SECONDS", 300)  # between two looks of a builder at its machine; 0: none
IGNORED_CHECKS = env.words("DEBATOMIC_IGNORED_CHECKS", [])  # of the engine's doctor, by name
DISK_LOW_BYTES = int(env.number("DEBATOMIC_DISK_LOW_GIB", 2) * 1024**3)  # less: a host takes no tasks
QUARANTINE_AFTER = int(env.number("DEBATOMIC_QUARANTINE_AFTER", 3, most=100))  # failures in a row; 0: never
SCALING_FILE = env.text("DEBATOMIC_SCALING_FILE")  # policies that add and remove hosts
KEEP_LOGS_DAYS = int(env.number("DEBATOMIC_KEEP_LOGS_DAYS", 0, most=36500))  # 0: for ever
KEEP_ARTIFACTS_DAYS = int(env.number("DEBATOMIC_KEEP_ARTIFACTS_DAYS", 0, most=36500))
KEEP_TASKS_DAYS = int(env.number("DEBATOMIC_KEEP_TASKS_DAYS", 0, most=36500))
KEEP_UNDO_DAYS = int(env.number("DEBATOMIC_KEEP_UNDO_DAYS", 7, most=36500))  # between a mark and the removal
KEEP_COMPOSES = int(env.number("DEBATOMIC_KEEP_COMPOSES", 0, most=100_000))  # finished ones of a variant; 0: all
KEEP_COMPOSES_DAYS = int(env.number("DEBATOMIC_KEEP_COMPOSES_DAYS", 0, most=36500))  # younger ones stay, too
LOG_LIMIT_BYTES = int(env.number("DEBATOMIC_LOG_LIMIT_MB", 256, least=1) * 1024 * 1024)  # of one log

INSTALLED_APPS = [
    "daphne",
    "debatomic.access",
    "hosts",
    "chroots",
    "builds",
    "composes",
    "debatomic",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "axes",
    "channels",
    "csp",
    "django_filters",
    "django_htmx",
    "django_q",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "rest_framework",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "debatomic.access.address.remember_address",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "debatomic.urls"
FORM_RENDERER = "debatomic.renderer.Renderer"
ASGI_APPLICATION = "debatomic.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": env.database("DATABASE_URL", "sqlite://:memory:" if IS_REMOTE_BUILDER else f"sqlite:///{HOME}/hub.db")
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    env.keep_private(DATABASES["default"])
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
    }
    DATABASES["default"]["TEST"] = {"NAME": env.text("DEBATOMIC_TEST_DATABASE") or None}
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 600
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# django-q2 pulls and executes; the Task table is the queue (docs/architecture.md)
Q_CLUSTER: dict[str, Any] = {
    "name": "debatomic",
    "broker_class": "hosts.builder.brokers.HttpBroker" if IS_REMOTE_BUILDER else "hosts.builder.brokers.DatabaseBroker",
    "workers": int(CAPACITY),
    "queue_limit": 1,
    "timeout": 30 * 86400,
    "retry": 31 * 86400,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "poll": POLL_SECONDS,
    "guard_cycle": 0.5,
    "scheduler": False,
    "recycle": 500,
    "catch_up": False,
    "ALT_CLUSTERS": {},
}

CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Access
AUTH_USER_MODEL = "access.User"
KNOX_TOKEN_MODEL = "access.ApiKey"
MIGRATION_MODULES = {"knox": None}  # its own table of keys is replaced by ours; made anyway, it would stay behind
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_ENABLE_ADMIN = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "debatomic.access.lockout.answer"
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "dashboard"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "debatomic.access.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["debatomic.access.permissions.MayPermission"],
    "DEFAULT_PAGINATION_CLASS": "debatomic.access.pagination.CursorPages",
    "DEFAULT_FILTER_BACKENDS": ["debatomic.access.filtering.Filters"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_VERSIONING_CLASS": None,
    "DEFAULT_THROTTLE_CLASSES": ["debatomic.access.throttles.VisitorThrottle"],
    "DEFAULT_THROTTLE_RATES": {"visitors": "600/min"},
    "EXCEPTION_HANDLER": "debatomic.access.refusals.answer",
    "PAGE_SIZE": 50,
}
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_PREFIX": "da_", "TOKEN_TTL": timedelta(days=90)}
SPECTACULAR_SETTINGS = {
    "TITLE": "DebAtomic",
    "DESCRIPTION": "Builds Debian packages and composes them into atomic systems.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PREPROCESSING_HOOKS": ["debatomic.api.without_builders"],
    "ENUM_NAME_OVERRIDES": {
        "TaskState": "hosts.states.State",
        "ComposeState": "composes.api.STATE_CHOICES",
        "CheckVerdict": "builds.quality.check_models.VERDICTS",
    },
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "object-src": ["'none'"],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": ["'none'"],
    }
}

# Files that pages need
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = HOME / "static"
WHITENOISE_USE_FINDERS = True  # straight from static/: no collectstatic before a first start
WHITENOISE_AUTOREFRESH = DEBUG
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024
FILE_UPLOAD_TEMP_DIR = None

LANGUAGE_CODE = "en-gb"
TIME_ZONE = env.text("DEBATOMIC_TIME_ZONE", "UTC")
USE_TZ = True
USE_I18N = False  # pages are in English: no look for translations, many times a row

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.text("DEBATOMIC_LOG_LEVEL", "INFO")},
    "loggers": {name: {"level": "WARNING"} for name in ("axes", "botocore", "daphne", "django_q", "django-q")},
}  # fmt: skip
