"""Moving builds from tag to tag by policy: what may go, what holds it back, and who let it pass all the same."""
