"""What is looked at in packages that were built: each check is one module, run in buildroots like the builds."""
