"""One image's way: source → task → sink."""
