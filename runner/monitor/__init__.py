"""Watches a trial from outside, so that nothing of it competes with what is measured."""
