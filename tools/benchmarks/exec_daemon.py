# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The peer of `bench exec`: the same function in a UDP daemon of Python, as one writes it by hand.

exec_daemon.py PORT PAGE OUTPUT FUNCTION PARAMETER=NUMBER...: FUNCTION is a program for ebpf_faas.py;
what it imports by that name is this. Nobody calls it by time. PAGE gets what was received, as 8 bytes, and behind that whether it began.
Its settings: a large buffer, one preallocated array to receive into, state in a dictionary, output
through a buffered file. Python has no call for many datagrams at once.
"""

import json
import mmap
import runpy
import socket
import sys
import types

PORT, PAGE, OUTPUT = int(sys.argv[1]), sys.argv[2], sys.argv[3]
SO_RCVBUFFORCE = 33
BUFFER_BYTES = 32 << 20


class Event:
    __slots__ = ("payload", "state", "emitted")

    def emit(self, output, **values):
        self.emitted.append({"output": output, "fields": values})


def run(on_event, on_timer):
    del on_timer
    states, event, buffer = {}, Event(), bytearray(2048)
    with open(PAGE, "r+b") as file:
        page = memoryview(mmap.mmap(file.fileno(), 4096)).cast("Q")
    output = open(OUTPUT, "w", encoding="utf-8")
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
    receiver.bind(("", PORT))
    receive = receiver.recvfrom_into
    page[1] = 1
    count = 0
    while True:
        got, (source, _) = receive(buffer)
        event.payload = bytes(buffer[:got])
        event.state = states.get(source, bytes(8))
        event.emitted = []
        on_event(event)
        states[source] = event.state
        for record in event.emitted:
            output.write(json.dumps({"key": source, **record}) + "\n")
        count += 1
        page[0] = count


module = types.ModuleType("ebpf_faas")
module.run = run
module.params = {name: json.loads(value) for name, value in (text.split("=") for text in sys.argv[5:])}
sys.modules["ebpf_faas"] = module
sys.argv = sys.argv[4:5]
runpy.run_path(sys.argv[0], run_name="__main__")
