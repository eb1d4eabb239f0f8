from django.apps import AppConfig


class ComposesConfig(AppConfig):
    name = "composes"

    def ready(self) -> None:
        from composes import methods  # noqa: PLC0415  (models exist only now)

        methods.register_methods()
