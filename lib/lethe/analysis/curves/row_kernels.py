"""Compiled search for identical rows, and 0/1 traces packed into one 64-bit key each, or two words.

A key holds a 1 followed by the trace's own bits, first epoch first: the 1 marks where the trace
begins, so traces of different lengths differ. Up to 63 epochs fit, or 127 into two words.
Cost: a few nanoseconds per key, about 50 per row of 31 floats; open addressing, linear probing.
"""

from __future__ import annotations

import numpy as np

from lethe.analysis.compiled import njit

compiled = njit(cache=True, nogil=True)
KEY_EPOCHS = 63
WIDE_EPOCHS = 127
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio
_HALF = np.uint64(32)


@compiled
def same_keys(keys):
    """First index of each distinct key, and for each row which of these it equals."""
    slots = np.full(1024, -1, np.int64)
    keep, back = np.empty(1024, np.int64), np.empty(len(keys), np.int64)
    found = 0
    for row in range(len(keys)):
        if 2 * found >= len(slots):
            slots = np.full(4 * len(slots), -1, np.int64)
            for i in range(found):
                slots[_slot(keys, keep, slots, keys[keep[i]])] = i
        place = _slot(keys, keep, slots, keys[row])
        if slots[place] < 0:
            if found == len(keep):
                keep = np.concatenate((keep, keep))
            slots[place], keep[found] = found, row
            found += 1
        back[row] = slots[place]
    return keep[:found].copy(), back


@compiled
def _slot(keys, keep, slots, key):
    """Where in the table this key is, or would be."""
    mask = len(slots) - 1
    place = np.int64((key * _SPREAD) >> _HALF) & mask
    while slots[place] >= 0 and keys[keep[slots[place]]] != key:
        place = (place + 1) & mask
    return place


@compiled
def same_rows(first, second):
    """As same_keys, for rows of 64-bit words: equal in both arrays [row, word], of one shape."""
    rows, columns = first.shape
    bits = 4
    while 1 << bits < 2 * rows:
        bits += 1
    slots = np.full(1 << bits, -1, np.int64)
    keep, back = np.empty(rows, np.int64), np.empty(rows, np.int64)
    mask, shift, found = len(slots) - 1, np.uint64(64 - bits), 0
    factors = np.full(2 * columns, _SPREAD)  # powers of an odd number; upper bits are mixed
    for i in range(1, len(factors)):
        factors[i] = factors[i - 1] * _SPREAD
    for row in range(rows):
        mixed = np.uint64(0)
        for i in range(columns):
            one, two = first[row, i], second[row, i]
            mixed += (one ^ (one >> _HALF)) * factors[2 * i]
            mixed += (two ^ (two >> _HALF)) * factors[2 * i + 1]
        place = np.int64(mixed >> shift)
        while slots[place] >= 0 and not (
            _equal(first, keep[slots[place]], row) and _equal(second, keep[slots[place]], row)
        ):
            place = (place + 1) & mask
        if slots[place] < 0:
            slots[place], keep[found] = found, row
            found += 1
        back[row] = slots[place]
    return keep[:found].copy(), back


@compiled
def _equal(words, one, other):
    same = True
    for i in range(words.shape[1]):
        same = same and words[one, i] == words[other, i]
    return same


@compiled
def pack_correct(correct, keys):
    """Write the key of each sample's retention trace; correct uint8 [epoch, sample], keys [sample].

    Leading zeros, the epochs before first_learned, fall away.
    """
    for start in range(0, len(keys), 4096):  # keys of a block stay in the nearest cache
        stop = min(start + 4096, len(keys))
        for sample in range(start, stop):
            keys[sample] = 0
        for epoch in range(len(correct)):
            for sample in range(start, stop):
                keys[sample] = keys[sample] * np.uint64(2) + np.uint64(correct[epoch, sample])
        for sample in range(start, stop):
            filled = keys[sample]
            for shift in (1, 2, 4, 8, 16, 32):
                filled |= filled >> np.uint64(shift)
            keys[sample] |= filled + np.uint64(1)


@compiled
def pack_traces(traces, keys):
    """Write the key of each 0/1 trace [row, epoch]; False at the first that is anything else."""
    for row in range(len(traces)):
        key, ended = np.uint64(1), False
        for value in traces[row]:
            if value == 0.0 or value == 1.0:
                if ended:
                    return False
                key = key * np.uint64(2) + np.uint64(value)
            elif value != value:
                ended = True
            else:
                return False
        keys[row] = key
    return True


@compiled
def unpack(keys, traces):
    """Write the traces of the keys to traces [row, epoch], NaN after the end."""
    for row in range(len(keys)):
        key, length = keys[row], -1
        while key > 0:
            key >>= np.uint64(1)
            length += 1
        for epoch in range(traces.shape[1]):
            bit = (keys[row] >> np.uint64(max(length - 1 - epoch, 0))) & np.uint64(1)
            traces[row, epoch] = np.float64(bit) if epoch < length else np.nan


@compiled
def pack_correct_wide(correct, keys):
    """As pack_correct, for keys of two words: uint64 [sample, 2], the upper word first."""
    keys[:] = np.uint64(0)
    for start in range(0, len(keys), 4096):
        stop = min(start + 4096, len(keys))
        for epoch in range(len(correct)):
            for sample in range(start, stop):
                _push(keys, sample, np.uint64(correct[epoch, sample]))
        for sample in range(start, stop):
            upper, lower = keys[sample]
            one = np.uint64(1)
            if upper > 0:
                keys[sample, 0] = upper | (_filled(upper) + one)
            elif lower >> np.uint64(63):
                keys[sample, 0] = one
            else:
                keys[sample, 1] = lower | (_filled(lower) + one)


@compiled
def _push(keys, row, bit):
    """Move the bits of a wide key up by one and put another below them."""
    keys[row, 0] = keys[row, 0] * np.uint64(2) + (keys[row, 1] >> np.uint64(63))
    keys[row, 1] = keys[row, 1] * np.uint64(2) + bit


@compiled
def _filled(word):
    """The word with ones below its highest."""
    for shift in (1, 2, 4, 8, 16, 32):
        word |= word >> np.uint64(shift)
    return word


@compiled
def unpack_wide(keys, traces):
    """As unpack, for keys of two words."""
    for row in range(len(keys)):
        upper, lower, length = keys[row, 0], keys[row, 1], -1
        rest = upper if upper > 0 else lower
        while rest > 0:
            rest >>= np.uint64(1)
            length += 1
        length += 64 if upper > 0 else 0
        for epoch in range(traces.shape[1]):
            place = max(length - 1 - epoch, 0)
            word = lower if place < 64 else upper
            bit = (word >> np.uint64(place % 64)) & np.uint64(1)
            traces[row, epoch] = np.float64(bit) if epoch < length else np.nan
