"""Services that say who somebody is, and what rights they have; which of their actions only read."""

from __future__ import annotations

from typing import Final

IDENTITY_SERVICES: Final = ("iam", "identitystore", "organizations", "sso", "sso-directory")
"""Services that say who may do what: a payment processor changes nothing there."""
READING: Final = ("Get", "List", "Describe", "Search", "Simulate", "Generate")
"""Beginnings of the names of actions that only read there (Service Authorization Reference, access levels)."""
BECOMES_ROOT: Final = "sts:AssumeRoot"
"""The action by which somebody of the organisation becomes the root of a member account, and gives that a password (IAM
user guide, "Perform a privileged task on an AWS Organizations member account"): any rights in it."""
