"""Conformance to the Open Inference Protocol v2 over HTTP: real web workers, real runners, unmodified clients."""
