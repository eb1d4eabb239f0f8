#!/usr/bin/env python3
"""Django's command line for DebAtomic."""

import os
import sys

try:
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
except ImportError:
    sys.exit("Django is missing here: run `make install`, then .venv/bin/python manage.py")


def check_settings() -> None:
    """A wrong value in the environment is told in one sentence, before anything is started."""
    try:
        _ = settings.INSTALLED_APPS
    except ImproperlyConfigured as error:
        sys.exit(f"{error}")
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}. DEBATOMIC_HOME must be a folder that this user may write.")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "debatomic.settings")
    check_settings()
    execute_from_command_line(sys.argv)
