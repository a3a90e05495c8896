"""What an operator sees of a running stack: counts, and Prometheus reading them."""
