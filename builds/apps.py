from django.apps import AppConfig


class BuildsConfig(AppConfig):
    name = "builds"

    def ready(self) -> None:
        from builds import methods  # noqa: PLC0415  (models exist only now)

        methods.register_methods()
