"""Preloaded by the forkserver alone: importing it ends that process when its controller ends.

`multiprocessing` hands the pipe that would tell it so to every child as well, so with a runner that lives on, the
forkserver of a killed controller would live on too, with all of torch in memory. Children do not inherit the wish.
"""

import os

from app.infra.parent_death import end_with_parent

end_with_parent(os.getppid())
