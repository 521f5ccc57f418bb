"""What modes are made of: threads, processes, the ways items get to them, and the ways results come back."""
