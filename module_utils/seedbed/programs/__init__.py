"""Programs of the lab that stay on its hosts: each has `main`, and travels with what it imports."""
