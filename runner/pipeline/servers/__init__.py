"""Servers on loopback that a trial reads from or sends to, each in a process of its own that is not counted into the trial.

This file imports nothing: each server's process goes through it.
"""
