# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Tells clients that ask for many long names with no pattern: data that leaves in DNS."""

import math
import struct
import sys
from collections import Counter

import ebpf_faas

BITS = float(sys.argv[1])  # of information in a character of a name, from here on
NAMES = int(sys.argv[2])  # such names before a client is told of
STATE = struct.Struct("<II")  # names seen, of them suspicious


def name_of(query):
    """The labels of the first question, without their lengths."""
    labels, at = b"", 12
    while at < len(query) and 0 < query[at] < 64:
        labels += query[at + 1:at + 1 + query[at]]
        at += 1 + query[at]
    return labels.lower()


def bits_of(name):
    return -sum(n / len(name) * math.log2(n / len(name)) for n in Counter(name).values())


def on_event(event):
    name = name_of(event.payload)
    seen, suspicious = STATE.unpack(event.state)
    bits = bits_of(name) if name else 0.0
    if len(name) >= 30 and bits >= BITS:
        suspicious += 1
        if suspicious % NAMES == 0:
            event.emit("tunnel", names=seen + 1, suspicious=suspicious, bits=bits)
    event.state = STATE.pack(seen + 1, suspicious)


ebpf_faas.run(on_event)
