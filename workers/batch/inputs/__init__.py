"""The inputs of jobs, one module per format: cut into chunks in one go, then read chunk by chunk, anywhere.

Imports app's files of jobs and plain values, and pyarrow where Parquet is read. No torch, no SQL, no local paths.
"""
