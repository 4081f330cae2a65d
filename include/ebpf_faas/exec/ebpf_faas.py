# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Exec functions of ebpf-faas in Python; see ebpf-faas-exec(7).

    import ebpf_faas

    def on_event(event):
        if event.payload.startswith(b"GET"):
            event.emit("requests", length=len(event.payload))

    ebpf_faas.run(on_event)

print() goes to the log of the runtime. An exception puts the event aside, with what it
emitted and its state and timer as before.
"""

import ipaddress
import json
import os
import struct
import sys
import traceback

VERSION = 2
HELLO, EVENT, ANSWER, FAILED, TIMER = 1, 2, 3, 4, 5
LAST = 1
PAYLOAD_SAME = 0xFFFFFFFF
TIMER_SAME = 0xFFFFFFFFFFFFFFFF

_HEAD = struct.Struct("<IHH")
_FRAME = struct.Struct("<IHHII")  # head, state_bytes, back
_ANSWER = struct.Struct("<IHHIIQ")  # head, state_bytes, outputs, timer_ns
_OUTPUT = struct.Struct("<HHI")
_RECORD = struct.Struct("<QIIIIHHHHHHHHHHBBBBB15x")  # struct faas_event
_ADDRESSES = 64
_KEY = 96
_FORMATS = {"u64": "Q", "s64": "q", "f64": "d", "decimal": "q"}
_DECIMAL_ONE = 1000000

workflow = {}
"""What the workflow says, from before on_init is called: workflow, version, function,
outputs, fields, key, state_bytes, state_version, timer."""

params = {}
"""The parameters of the function, by name, from then on: int (durations in nanoseconds,
triggers as event.trigger has them), float, bool, or the word of a choice."""

_outputs = {}


class _Output:
    def __init__(self, number, description):
        self.number = number
        self.names = [field["name"] for field in description["fields"]]
        self.types = [field["type"] for field in description["fields"]]
        self.values = struct.Struct("<" + "".join(_FORMATS[type] for type in self.types))
        self.head = _OUTPUT.pack(number, len(self.names), 0)
        self.same = _OUTPUT.pack(number, 0, PAYLOAD_SAME)


class Event:
    """One event. Members of struct faas_event are attributes: time_ns, source_port, ..."""

    __slots__ = ("time_ns", "generation", "key_hash", "interface_index", "fields_present",
                 "entry", "origin", "trigger", "shard", "frame_bytes", "packet_payload_bytes",
                 "payload_bytes", "source_port", "destination_port", "vlan", "ip_version",
                 "ip_protocol", "flags", "key_bytes", "field_count", "key", "payload", "state",
                 "_record", "_emitted", "_timer_ns")

    def __init__(self, record, state):
        (self.time_ns, self.generation, self.key_hash, self.interface_index,
         self.fields_present, self.entry, self.origin, self.trigger, self.shard,
         self.frame_bytes, self.packet_payload_bytes, self.payload_bytes, self.source_port,
         self.destination_port, self.vlan, self.ip_version, self.ip_protocol, self.flags,
         self.key_bytes, self.field_count) = _RECORD.unpack_from(record)
        self._record = record
        self._emitted = []
        self._timer_ns = TIMER_SAME
        self.key = record[_KEY:_KEY + self.key_bytes]
        begin = _KEY + (self.key_bytes + 7 & ~7) + 8 * self.field_count
        self.payload = record[begin:begin + self.payload_bytes]
        self.state = state
        """Bytes that the workflow keeps for the event's key, zeros for a new one; None
        without. Assign as many bytes to change them."""

    def _address(self, at):
        return ipaddress.ip_address(self._record[at:at + 16]) if self.ip_version == 6 else \
            ipaddress.ip_address(self._record[at + 12:at + 16])

    @property
    def source(self):
        return self._address(_ADDRESSES)

    @property
    def destination(self):
        return self._address(_ADDRESSES + 16)

    @property
    def fields(self):
        """What functions in the kernel set, by name."""
        begin = _KEY + (self.key_bytes + 7 & ~7)
        found = {}
        for number, field in enumerate(workflow["fields"][:self.field_count]):
            if self.fields_present >> number & 1:
                value, = struct.unpack_from("<" + _FORMATS[field["type"]], self._record,
                                            begin + 8 * number)
                found[field["name"]] = value / _DECIMAL_ONE \
                    if field["type"] == "decimal" else value
        return found

    def emit(self, output, payload=None, **values):
        """A record for an output: all of its fields by name; or, if it has none, payload,
        which is that of the event if it is not given."""
        to = _outputs[output]
        if to.names:
            if payload is not None or values.keys() != set(to.names):
                raise ValueError("output %s takes the fields %s" % (output, ", ".join(to.names)))
            self._emitted.append(to.head + to.values.pack(*[
                round(values[name] * _DECIMAL_ONE) if type == "decimal" else values[name]
                for name, type in zip(to.names, to.types)]))
        elif values:
            raise ValueError("output %s has no fields" % output)
        elif payload is None:
            self._emitted.append(to.same)
        else:
            self._emitted.append(_OUTPUT.pack(to.number, 0, len(payload)) + payload)

    def timer(self, after_ns):
        """Have on_timer called for this event's key, once, so many nanoseconds from now on;
        0: not any more. A key has one timer: it is moved. Takes effect with the state."""
        if not (workflow["timer"] and workflow["state_bytes"]):
            raise ValueError("timers need `timer: true` and `state_bytes` in the workflow")
        if not 0 <= after_ns < TIMER_SAME:
            raise ValueError("a timer in %r ns" % after_ns)
        self._timer_ns = int(after_ns)

    def _answer(self, before):
        state = b"" if self.state is None or self.state == before else bytes(self.state)
        if state and len(state) != workflow["state_bytes"]:
            raise ValueError("the state has %d bytes, not %d" %
                             (len(state), workflow["state_bytes"]))
        body = state + b"".join(self._emitted)
        return _ANSWER.pack(_ANSWER.size - 4 + len(body), ANSWER, 0, len(state),
                            len(self._emitted), self._timer_ns) + body


class _Channel:
    """The frames. print() and input() have nothing to do with them."""

    def __init__(self):
        self.input = os.dup(0)
        self.output = os.dup(1)
        self.buffer = bytearray()
        nothing = os.open("/dev/null", os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        sys.stdout.reconfigure(line_buffering=True)

    def read(self):
        """The frames that are there now, at least one; ends the program with its input."""
        buffer, frames, at = self.buffer, [], 0
        while not frames:
            got = os.read(self.input, 1 << 18)
            if not got:
                sys.exit(0)
            buffer += got
            while len(buffer) - at >= 4:
                end = at + 4 + int.from_bytes(buffer[at:at + 4], "little")
                if end > len(buffer):
                    break
                frames.append(bytes(buffer[at:end]))
                at = end
        del buffer[:at]
        return frames

    def write(self, data):
        view = memoryview(data)
        while view:
            view = view[os.write(self.output, view):]


def _greet(channel):
    hello, = channel.read()
    _, kind, version = _HEAD.unpack_from(hello)
    if kind != HELLO or version != VERSION:
        text = b"ebpf_faas.py speaks version %d of the frames, not %d" % (VERSION, version)
        channel.write(_HEAD.pack(_HEAD.size - 4 + len(text), FAILED, 0) + text)
        sys.exit(1)
    workflow.update(json.loads(hello[_HEAD.size:]))
    for param in workflow["params"]:
        is_integer = param["type"] in ("u64", "s64", "bytes", "duration")
        params[param["name"]] = int(param["value"]) if is_integer else param["value"]
    for number, output in enumerate(workflow["outputs"]):
        _outputs[output["name"]] = _Output(number, output)


def _call(handler, event):
    """The answer, and the state behind it."""
    before = event.state
    try:
        handler(event)
        return event._answer(before), event.state
    except Exception:  # the event's, not ours
        traceback.print_exc(limit=-2)
        return _ANSWER.pack(_ANSWER.size - 4, ANSWER, 1, 0, 0, TIMER_SAME), before


def run(on_event, on_init=None, on_timer=None):
    """Call on_event for each event, until there are no more to come. on_init is called
    before, when `workflow` and `params` are known; what it raises is why the workflow does
    not load. on_timer is called for timers of keys (Event.timer), and for triggers of time:
    their number is event.trigger then, 0 else. It needs `timer: true` in the workflow."""
    channel = _Channel()
    _greet(channel)
    try:
        if workflow["timer"] and not on_timer:
            raise ValueError("the workflow says `timer: true`, and the program has no on_timer")
        if on_timer and not workflow["timer"]:
            raise ValueError("the program has on_timer, and the workflow no `timer: true`")
        if on_init:
            on_init()
    except Exception as error:
        text = ("%s: %s" % (type(error).__name__, error)).encode()[:200]
        channel.write(_HEAD.pack(_HEAD.size - 4 + len(text), FAILED, 0) + text)
        raise
    channel.write(_HEAD.pack(_HEAD.size - 4, HELLO, VERSION))
    answers, states = [], []
    while True:
        for frame in channel.read():
            _, kind, flags, state_bytes, back = _FRAME.unpack_from(frame)
            end = len(frame) - state_bytes
            state = None
            if workflow["state_bytes"]:
                state = states[-back] if back else frame[end:]
            answer, state = _call(on_timer if kind == TIMER else on_event,
                                  Event(frame[_FRAME.size:end], state))
            answers.append(answer)
            states.append(state)
            if flags & LAST:
                channel.write(b"".join(answers))
                answers.clear()
                states.clear()
