from django.apps import AppConfig


class ComposesConfig(AppConfig):
    name = "composes"
