"""A folder for the path of another interpreter: this program is found in it, and nothing that is installed beside this program."""
