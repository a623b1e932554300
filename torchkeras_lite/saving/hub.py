"""Models on the Hugging Face Hub, through `huggingface_hub`."""

PREFIX = "hf://"


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


def upload(folder, path):
    """Put the files of `folder` into the repository `hf://namespace/model_name`, which is made if need be."""
    api = _hub().HfApi(library_name="keras")
    repository = api.create_repo(_repository(path), exist_ok=True).repo_id
    api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Save model.")
