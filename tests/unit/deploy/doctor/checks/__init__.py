"""Unit tests of what the doctor looks at."""
