"""What sizes a file may declare, compared with the bytes that it has."""

FLOOR = 16 * 2**20  # bytes; less than this never hurts
MAX_EXPANSION = 200  # DEFLATE reaches 1032, weights that anybody trained hardly 2


def check_expansion(name, what, declared, stored):
    """Raise where `declared` bytes would be made of very few stored ones.

    Args:
        name: What messages call the file.
        what: The part of it in question.
        declared: Bytes in memory.
        stored: Bytes in the file.

    Raises:
        ValueError: more than 16 MiB, and more than 200 times what is stored.
    """
    if declared > FLOOR and declared > MAX_EXPANSION * stored:
        raise ValueError(
            f"{name}: Not allowed: {what} declares {readable_size(declared)} and stores "
            f"{readable_size(stored)}; it is a decompression or shape bomb, or damaged."
        )


def readable_size(size):
    """Return a number of bytes as text, `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} TiB"
