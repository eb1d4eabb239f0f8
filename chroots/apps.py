from django.apps import AppConfig


class ChrootsConfig(AppConfig):
    name = "chroots"
