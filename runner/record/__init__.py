"""What was measured: typed, written, and read back."""
