"""What the modes are made of: threads, processes, and how results come back from them."""
