"""Passwords and tokens never reach a record, a log, a tag or an artifact: they are masked on the way to all of these."""

from __future__ import annotations

from runner.secrets.data import masked_data, masked_override, masked_setting
from runner.secrets.known import learn
from runner.secrets.names import MASK, is_secret
from runner.secrets.texts import masked

__all__ = ["MASK", "is_secret", "learn", "masked", "masked_data", "masked_override", "masked_setting"]
