"""Backup and restore: SQL, the model store and, where asked for, the files of jobs, in one folder with checksums.

May import what deploy may; SQL it knows through app.db only. Runs beside a stack or without one, never inside.
"""
