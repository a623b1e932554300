"""64-bit fingerprints of strings, whole arrays at once: FarmHash's Fingerprint64 and SipHash-2-4.

Strings of one length are rows of a matrix of bytes, on which NumPy computes in unsigned 64-bit integers.

Sources: FarmHash (Geoff Pike, Google, `farmhashna`); J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast
short-input PRF", 2012. TensorFlow's hashed buckets and crosses, and so Keras's, are these.
"""

from collections import defaultdict

import numpy as np

_K0 = np.uint64(0xC3A5C85C97CB3127)
_K1 = np.uint64(0xB492B66FBE98F273)
_K2 = np.uint64(0x9AE16A3B2F90404F)
_CROSS = np.uint64(0xC6A4A7935BD1E995)


def _word(value):
    return np.uint64(value & 0xFFFFFFFFFFFFFFFF)


def _rotate_right(value, bits):
    return (value >> np.uint64(bits)) | (value << np.uint64(64 - bits))


def _rotate_left(value, bits):
    return _rotate_right(value, 64 - bits)


def _mix(value):
    return value ^ (value >> np.uint64(47))


def _fetch(rows, at, width=8):
    """Return the little-endian integers of `width` bytes at column `at`."""
    at = at if at >= 0 else rows.shape[1] + at
    part = np.ascontiguousarray(rows[:, at : at + width])
    return part.view(f"<u{width}")[:, 0].astype(np.uint64)


def _hash_16(u, v, multiplier):
    a = _mix((u ^ v) * multiplier)
    b = _mix((v ^ a) * multiplier)
    return b * multiplier


def _farm_0_to_16(rows):
    length = rows.shape[1]
    if length >= 8:
        multiplier = _word(int(_K2) + 2 * length)
        a, b = _fetch(rows, 0) + _K2, _fetch(rows, -8)
        c = _rotate_right(b, 37) * multiplier + a
        d = (_rotate_right(a, 25) + b) * multiplier
        return _hash_16(c, d, multiplier)
    if length >= 4:
        multiplier = _word(int(_K2) + 2 * length)
        a = _fetch(rows, 0, 4)
        return _hash_16(np.uint64(length) + (a << np.uint64(3)), _fetch(rows, -4, 4), multiplier)
    if length > 0:
        first, middle, last = (rows[:, i].astype(np.uint64) for i in (0, length >> 1, length - 1))
        y = first + (middle << np.uint64(8))
        z = np.uint64(length) + (last << np.uint64(2))
        return _mix(y * _K2 ^ z * _K0) * _K2
    return np.full(len(rows), _K2)


def _farm_17_to_32(rows):
    multiplier = _word(int(_K2) + 2 * rows.shape[1])
    a, b = _fetch(rows, 0) * _K1, _fetch(rows, 8)
    c, d = _fetch(rows, -8) * multiplier, _fetch(rows, -16) * _K2
    u = _rotate_right(a + b, 43) + _rotate_right(c, 30) + d
    return _hash_16(u, a + _rotate_right(b + _K2, 18) + c, multiplier)


def _farm_33_to_64(rows):
    multiplier = _word(int(_K2) + 2 * rows.shape[1])
    a, b = _fetch(rows, 0) * _K2, _fetch(rows, 8)
    c, d = _fetch(rows, -8) * multiplier, _fetch(rows, -16) * _K2
    y = _rotate_right(a + b, 43) + _rotate_right(c, 30) + d
    z = _hash_16(y, a + _rotate_right(b + _K2, 18) + c, multiplier)
    e, f = _fetch(rows, 16) * multiplier, _fetch(rows, 24)
    g, h = (y + _fetch(rows, -32)) * multiplier, (z + _fetch(rows, -24)) * multiplier
    u = _rotate_right(e + f, 43) + _rotate_right(g, 30) + h
    return _hash_16(u, e + _rotate_right(f + a, 18) + g, multiplier)


def _weak_hash_32(rows, at, a, b):
    """Return a pair of hashes of the 32 bytes at column `at`, seeded with `a` and `b`."""
    w, x, y, z = (_fetch(rows, at + 8 * i) for i in range(4))
    a = a + w
    b = _rotate_right(b + a + z, 21)
    c = a
    a = a + x + y
    b = b + _rotate_right(a, 44)
    return a + z, b + c


def _farm_long(rows):
    length, count = rows.shape[1], len(rows)
    seed = 81
    x = np.full(count, _word(seed))
    y = np.full(count, _word(seed * int(_K1) + 113))
    z = _mix(y * _K2 + np.uint64(113)) * _K2
    v = w = (np.zeros(count, np.uint64), np.zeros(count, np.uint64))
    x = x * _K2 + _fetch(rows, 0)
    last = (length - 1) // 64 * 64
    for at in range(0, last, 64):
        x = _rotate_right(x + y + v[0] + _fetch(rows, at + 8), 37) * _K1
        y = _rotate_right(y + v[1] + _fetch(rows, at + 48), 42) * _K1
        x = x ^ w[1]
        y = y + v[0] + _fetch(rows, at + 40)
        z = _rotate_right(z + w[0], 33) * _K1
        v = _weak_hash_32(rows, at, v[1] * _K1, x + w[0])
        w = _weak_hash_32(rows, at + 32, z + w[1], y + _fetch(rows, at + 16))
        x, z = z, x
    multiplier = _K1 + ((z & np.uint64(0xFF)) << np.uint64(1))
    at, nine = length - 64, np.uint64(9)
    w = (w[0] + np.uint64((length - 1) & 63), w[1])
    v = (v[0] + w[0], v[1])
    w = (w[0] + v[0], w[1])
    x = _rotate_right(x + y + v[0] + _fetch(rows, at + 8), 37) * multiplier
    y = _rotate_right(y + v[1] + _fetch(rows, at + 48), 42) * multiplier
    x = x ^ (w[1] * nine)
    y = y + v[0] * nine + _fetch(rows, at + 40)
    z = _rotate_right(z + w[0], 33) * multiplier
    v = _weak_hash_32(rows, at, v[1] * multiplier, x + w[0])
    w = _weak_hash_32(rows, at + 32, z + w[1], y + _fetch(rows, at + 16))
    x, z = z, x
    first = _hash_16(v[0], w[0], multiplier) + _mix(y) * _K0 + z
    return _hash_16(first, _hash_16(v[1], w[1], multiplier) + x, multiplier)


def _farm_rows(rows):
    length = rows.shape[1]
    if length <= 16:
        return _farm_0_to_16(rows)
    if length <= 32:
        return _farm_17_to_32(rows)
    return _farm_33_to_64(rows) if length <= 64 else _farm_long(rows)


def _sip_rounds(state, count):
    a, b, c, d = state
    for _ in range(count):
        a, c = a + b, c + d
        b, d = _rotate_left(b, 13) ^ a, _rotate_left(d, 16) ^ c
        a, c = _rotate_left(a, 32) + d, c + b
        d, b = _rotate_left(d, 21) ^ a, _rotate_left(b, 17) ^ c
        c = _rotate_left(c, 32)
    return a, b, c, d


def _sip_rows(rows, key):
    count, length = rows.shape
    k0, k1 = (_word(int(part)) for part in key)
    constants = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    state = tuple(np.full(count, _word(c) ^ k) for c, k in zip(constants, (k0, k1, k0, k1), strict=True))
    padded = np.zeros((count, length // 8 * 8 + 8), np.uint8)
    padded[:, :length] = rows
    padded[:, -1] = length & 0xFF
    for at in range(0, padded.shape[1], 8):
        word = _fetch(padded, at)
        state = _sip_rounds((*state[:3], state[3] ^ word), 2)
        state = (state[0] ^ word, *state[1:])
    a, b, c, d = _sip_rounds((state[0], state[1], state[2] ^ np.uint64(0xFF), state[3]), 4)
    return a ^ b ^ c ^ d


def fingerprints(strings, key=None):
    """Return the fingerprints of a list of strings as an array of uint64.

    Args:
        strings: `str` or `bytes`; `str` counts as UTF-8.
        key: Two integers for SipHash; `None`: FarmHash.
    """
    encoded = [string.encode() if isinstance(string, str) else string for string in strings]
    places = defaultdict(list)
    for place, string in enumerate(encoded):
        places[len(string)].append(place)
    found = np.empty(len(encoded), np.uint64)
    with np.errstate(over="ignore"):
        for length, members in places.items():
            joined = b"".join([encoded[place] for place in members])
            rows = np.frombuffer(joined, np.uint8).reshape(len(members), length)
            found[members] = _farm_rows(rows) if key is None else _sip_rows(rows, key)
    return found


def combine(first, second):
    """Return one fingerprint for each pair of fingerprints, as TensorFlow's crosses do."""
    with np.errstate(over="ignore"):
        mixed = (first ^ _CROSS) ^ (_mix(second * _CROSS) * _CROSS)
        return _mix(_mix(mixed * _CROSS) * _CROSS)
