"""One module for each platform: see `tests.contract.rig`."""
