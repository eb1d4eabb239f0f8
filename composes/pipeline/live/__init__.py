"""An ISO that starts the system without a disk, and brings it onto one."""
