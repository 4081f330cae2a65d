# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Tells of keys that were silent for a while, and does then what their last event says."""

import os
import struct

import ebpf_faas

STATE = struct.Struct("<QB")  # events, what its timer is to do
EXIT, RAISE = 1, 2
TROUBLES = {b"exit": EXIT, b"raise": RAISE}


def on_init():
    if ebpf_faas.params["factor"] < 0:
        raise ValueError("factor is below 0")
    if ebpf_faas.params["unit"] != "celsius":
        raise ValueError("%s is not measured here" % ebpf_faas.params["unit"])


def on_event(event):
    count, _ = STATE.unpack(event.state)
    event.state = STATE.pack(count + 1, TROUBLES.get(event.payload, 0))
    event.timer(0 if event.payload == b"never" else ebpf_faas.params["silence"])


def on_timer(event):
    count, trouble = STATE.unpack(event.state)
    if event.trigger == ebpf_faas.params["clock"]:
        event.emit("swept", swept=count)
        return
    event.state = STATE.pack(count, 0)
    event.emit("silent", count=count, scaled=count * ebpf_faas.params["factor"],
               least=ebpf_faas.params["offset"])
    if trouble == EXIT:
        os._exit(7)
    if trouble == RAISE:
        raise ValueError("as it was told")


ebpf_faas.run(on_event, on_init, on_timer)
