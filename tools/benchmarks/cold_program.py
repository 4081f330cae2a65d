# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Counts the packets of each sender."""

import ebpf_faas


def on_event(event):
    total = int.from_bytes(event.state, "little") + 1
    event.state = total.to_bytes(8, "little")
    event.emit("total", total=total)


ebpf_faas.run(on_event)
