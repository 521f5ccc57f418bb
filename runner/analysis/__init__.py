"""What may be concluded from what was measured. Nothing here reads or writes."""
