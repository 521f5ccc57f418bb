"""The terminal: what is shown there, and the words for it."""
