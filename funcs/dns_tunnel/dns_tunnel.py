# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Tells clients that ask for many long names with no pattern: data that leaves in DNS."""

import math
import struct
from collections import Counter

import ebpf_faas

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
    if len(name) >= 30 and bits >= ebpf_faas.params["bits"]:
        suspicious += 1
        if suspicious % ebpf_faas.params["names"] == 0:
            event.emit("tunnel", names=seen + 1, suspicious=suspicious, bits=bits)
    event.state = STATE.pack(seen + 1, suspicious)


def on_timer(event):
    """A trigger of time: each client begins anew."""
    event.state = bytes(STATE.size)


ebpf_faas.run(on_event, on_timer=on_timer)
