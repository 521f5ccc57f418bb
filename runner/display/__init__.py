"""What is shown in a terminal, and the words for it."""
