"""`hf://` paths, with a stand-in for `huggingface_hub` that keeps repositories in a folder."""

import shutil
import sys
import types

import numpy as np
import pytest

import torchkeras_lite as keras
from torchkeras_lite import layers


@pytest.fixture
def repositories(tmp_path, monkeypatch):
    """The folder in which the stand-in keeps repositories."""

    class HfApi:
        def __init__(self, **kwargs):
            pass

        def create_repo(self, name, exist_ok):
            (tmp_path / name).mkdir(parents=True, exist_ok=exist_ok)
            return types.SimpleNamespace(repo_id=name)

        def upload_folder(self, repo_id, folder_path, commit_message):
            shutil.copytree(folder_path, tmp_path / repo_id, dirs_exist_ok=True)

    module = types.ModuleType("huggingface_hub")
    module.HfApi = HfApi
    module.snapshot_download = lambda repo_id, library_name: str(tmp_path / repo_id)
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    return tmp_path


def small():
    return keras.Sequential([keras.Input((2,)), layers.Dense(1)])


def test_a_model_goes_to_the_hub_and_back(repositories):
    model = small()
    model.save("hf://me/mine")
    again = keras.saving.load_model("hf://me/mine")
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
    with pytest.raises(ValueError, match="hf://namespace/model_name"):
        keras.saving.load_model("hf://a/b/c")


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_repositories_with_one_file_of_a_model(ending, repositories):
    (repositories / "me" / "one").mkdir(parents=True)
    model = small()
    model.save(repositories / "me" / "one" / f"model.{ending}")
    (repositories / "me" / "one" / "README.md").write_text("text")
    again = keras.saving.load_model("hf://me/one", compile=False)
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
    model.save(repositories / "me" / "one" / f"other.{ending}")
    with pytest.raises(ValueError, match=r"several models.*hf_hub_download"):
        keras.saving.load_model("hf://me/one")


def test_repositories_without_a_model(repositories):
    (repositories / "me" / "none").mkdir(parents=True)
    (repositories / "me" / "none" / "pytorch_model.bin").write_text("x")
    with pytest.raises(ValueError, match=r"neither a `config.json`.*pytorch_model.bin"):
        keras.saving.load_model("hf://me/none")


def test_the_install_line_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match="pip install huggingface_hub"):
        keras.saving.load_model("hf://me/mine")
