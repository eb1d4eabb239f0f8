"""Quality gates: checks after a build, by its target's policy; some block its way into the tag, others inform."""
