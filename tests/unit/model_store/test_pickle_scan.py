"""Pickles are looked through, never run: names that TorchScript does not write are refused."""

import pickle
from pathlib import PurePosixPath

import pytest
import torch
from torch import nn

from app.errors import ForbiddenCode, UnloadableArtifact
from model_store.pickle_scan import check_pickle
from tests.factories.archives import records, saved


@pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated", "ignore:torch.quantize_per_tensor")
def test_the_pickles_of_a_real_archive_are_accepted() -> None:
    quantized = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 4)).eval(), {nn.Linear})
    for module in (nn.Sequential(nn.LSTM(4, 4)), quantized):
        for name, data in records(saved(module)).items():
            if name.endswith(".pkl"):
                check_pickle(name, data)


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (pickle.dumps(PurePosixPath("/"), protocol=2), "pathlib.PurePosixPath"),
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"ctorch\nload\n.", "torch.load"),
        (b"c__torch__.torch.classes.dist_c10d\nFileStore\n.", "dist_c10d.FileStore"),
        (b"c__torch__.torch\nclasses.dist_c10d.FileStore\n.", "dist_c10d.FileStore"),
        (pickle.dumps(print, protocol=4), "STACK_GLOBAL"),
        (b"(ios\nsystem\n.", "INST"),
    ],
)
def test_other_names_are_refused(data: bytes, named: str) -> None:
    with pytest.raises(ForbiddenCode, match=r"data\.pkl, byte \d+: ") as caught:
        check_pickle("data.pkl", data)

    assert named in caught.value.detail


@pytest.mark.parametrize("data", [b"", b"\x80", b"not a pickle", pickle.dumps([1], protocol=2)[:-1]])
def test_what_is_no_pickle_is_refused(data: bytes) -> None:
    with pytest.raises(UnloadableArtifact, match=r"data\.pkl is no pickle"):
        check_pickle("data.pkl", data)
