"""What processes have used, asked of the kernel: exact figures, not samples."""
