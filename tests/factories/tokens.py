"""The codec of real tokens, outside of a web worker."""

from flask import Flask

from app.settings import Settings
from app.web.token_codec import JwtCodec


def make_codec(settings: Settings) -> JwtCodec:
    """Return a codec in an app of its own."""
    codec = JwtCodec(settings)
    codec.init_app(Flask("tests"))
    return codec
