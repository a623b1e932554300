"""Models on the Hugging Face Hub, through `huggingface_hub`."""

import os

PREFIX = "hf://"
WHOLE = (".keras", ".h5", ".hdf5", ".safetensors")


def _hub():
    try:
        import huggingface_hub  # an extra
    except ImportError:
        raise ImportError(
            "Paths that begin with `hf://` need the package huggingface_hub: pip install huggingface_hub"
        ) from None
    return huggingface_hub


def _repository(path):
    name = path.removeprefix(PREFIX)
    if name.count("/") > 1:
        raise ValueError(f"Expected `hf://namespace/model_name`, got {path!r}.")
    return name


def download(path):
    """Return the folder with the files of `hf://namespace/model_name`."""
    return _hub().snapshot_download(repo_id=_repository(path), library_name="keras")


def model_in(folder, path):
    """Return the one file of a whole model in the downloaded `folder`, which is no model of Keras 3 itself.

    Raises:
        ValueError: there is none, or there are several.
    """
    names = sorted(os.listdir(folder))
    for ending in WHOLE:
        found = [name for name in names if name.endswith(ending) and not name.endswith(".weights.h5")]
        if len(found) == 1:
            return os.path.join(folder, found[0])
        if found:
            raise ValueError(
                f"{path} has several models: {found}. Download the one you want with "
                "`huggingface_hub.hf_hub_download`, and load that file."
            )
    raise ValueError(
        f"{path} has neither a `config.json` of Keras nor a file that ends in one of {', '.join(WHOLE)}; "
        f"it has {names[:20]}."
    )


def upload(folder, path):
    """Put the files of `folder` into the repository `hf://namespace/model_name`, which is made if need be."""
    api = _hub().HfApi(library_name="keras")
    repository = api.create_repo(_repository(path), exist_ok=True).repo_id
    api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Save model.")
