"""What a system gets besides packages: the customisations of blueprints, as bootc-image-builder has them."""
