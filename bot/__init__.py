"""Parley's pipeline. It knows no platform: nothing in this package imports discord, slack_bolt or slack_sdk."""

__version__ = "0.1.0"
