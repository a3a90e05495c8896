"""What clients of jobs may rely on."""
