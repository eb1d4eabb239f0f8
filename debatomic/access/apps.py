from django.apps import AppConfig


class AccessConfig(AppConfig):
    name = "debatomic.access"
    label = "access"
