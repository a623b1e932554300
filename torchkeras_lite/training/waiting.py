"""A hint for epochs that waited for their data."""

LEAST_SHARE = 0.3
LEAST_SECONDS = 1.0


def hint(batches, waited, seconds):
    """Return a line about an epoch that spent much of its time waiting for data, else `None`.

    Args:
        batches: The batches, which know what to raise.
        waited: Seconds that the epoch waited.
        seconds: Seconds that it took in all.
    """
    if waited < LEAST_SECONDS or waited < LEAST_SHARE * seconds:
        return None
    remedy = batches.remedy()
    return remedy and (
        f"Hint: {waited / seconds:.0%} of this epoch ({waited:.1f} s of {seconds:.1f} s) was spent waiting "
        f"for data. {remedy}"
    )
