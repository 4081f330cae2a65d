# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Counts the events of each key, and does what some of them say."""

import os
import sys
import time

import ebpf_faas



def spin():
    while True:
        pass


def answer_often():
    """Once more than there are events in a batch: two would be right for two of them."""
    os.write(4, bytes.fromhex("14000000" "03000000" "00000000" "00000000" "ffffffffffffffff") * 33)
    time.sleep(60)


TROUBLES = {
    b"spin!": spin,
    b"sleep": lambda: time.sleep(60),
    b"exit": lambda: os._exit(7),
    b"kill": lambda: os.kill(os.getpid(), 9),
    b"close": lambda: (os.close(3), os.close(4), time.sleep(60)),
    b"garbage": lambda: (os.write(4, b"hello, world\n"), time.sleep(60)),
    b"often": answer_often,
    b"flood": lambda: [sys.stderr.write("a line of it\n") for _ in range(20000)],
    b"memory": lambda: bytearray(1 << 30),
}


def on_event(event):
    for word, trouble in TROUBLES.items():
        if event.payload == word:
            trouble()
    if event.payload == b"error":
        raise ValueError("as it was told")
    count = int.from_bytes(event.state, "little") + 1
    event.state = count.to_bytes(8, "little")
    event.emit("counted", count=count)


ebpf_faas.run(on_event)
