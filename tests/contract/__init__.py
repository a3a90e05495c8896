"""What holds across parts: the OpenAPI document, one error shape on every route, fakes against the real thing.

May import everything. Never a server on a port.
"""
