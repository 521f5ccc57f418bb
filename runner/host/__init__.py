"""What is read from the host (usage, memory, GPUs, load, CPUs) and what is set on it (a lock, an affinity)."""
