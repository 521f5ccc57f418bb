"""What the system is asked: usage, memory, GPUs, load, CPUs; and what the system is told: a lock, an affinity."""
