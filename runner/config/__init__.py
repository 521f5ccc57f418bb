"""The configuration: every choice a user can make, typed, checked, and explained where it is wrong."""
