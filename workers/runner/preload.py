"""What every runner needs in memory, imported once by the forkserver so that its children share the pages.

Runs no operation and starts no thread: a thread pool that is started before a fork is dead in the child. (numpy's
OpenBLAS starts one on import, and sets it up again after a fork.)
"""

import gc

import msgspec
import numpy as np
import torch
import zmq
from PIL import Image

from workers import vision
from workers.runner import body

__all__ = ["Image", "body", "msgspec", "np", "torch", "vision", "zmq"]

# Otherwise the first picture that is none makes every runner import fifty plugins.
Image.init()

# A child's garbage collections would write to every page of these imports, and each write copies a page.
gc.collect()
gc.freeze()
