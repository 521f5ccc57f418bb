"""How often everything is measured, and what may be concluded from it."""
