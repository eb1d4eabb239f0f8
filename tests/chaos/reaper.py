"""Reaps without a pause, until killed."""

from __future__ import annotations

import time

import django

django.setup()

from django import db  # noqa: E402

from hosts import hub  # noqa: E402

while True:
    db.close_old_connections()
    hub.reap()
    time.sleep(0.01)
