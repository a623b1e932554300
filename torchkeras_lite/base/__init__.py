"""Ground floor: names, dtypes, devices, configuration, serialization. Nothing here knows a layer.

Everything above imports from here, and nothing here imports from above. That is why looking up a
public class by its name goes through `registry`: rooms publish their classes into it.
"""
