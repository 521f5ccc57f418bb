"""What can be typed: one module for each verb."""
