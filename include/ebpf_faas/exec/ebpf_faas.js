// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Exec functions of ebpf-faas in JavaScript (Node.js); see ebpf-faas-exec(7).
 *
 *   const faas = require("./ebpf_faas.js");
 *
 *   faas.run((event) => {
 *     if (event.payload.length > 100) event.emit("long", { length: event.payload.length });
 *   });
 *
 * console.log goes to the log of the runtime. An exception puts the event aside, with
 * what it emitted and its state and timer as before. Events are answered one after the other: what
 * is asynchronous is not waited for.
 */
"use strict";

const fs = require("fs");

const VERSION = 2;
const HELLO = 1, ANSWER = 3, FAILED = 4, TIMER = 5;
const LAST = 1;
const PAYLOAD_SAME = 0xffffffff;
const TIMER_SAME = 0xffffffffffffffffn;
const FRAME_BYTES = 16, HEAD_BYTES = 8, NUMBERS_BYTES = 16, OUTPUT_BYTES = 8;
const ADDRESSES = 64, KEY = 96;
const DECIMAL_ONE = 1000000;

/** What the workflow says, and the parameters of the function by name: both are known when
 * onInit is called. Numbers of u64, s64, bytes and durations (nanoseconds) are BigInt. */
const workflow = {};
const params = {};
const outputs = new Map();
console.log = console.info = console.debug = console.error;

const writers = {
  u64: (buffer, value, at) => buffer.writeBigUInt64LE(BigInt(value), at),
  s64: (buffer, value, at) => buffer.writeBigInt64LE(BigInt(value), at),
  f64: (buffer, value, at) => buffer.writeDoubleLE(value, at),
  decimal: (buffer, value, at) =>
    buffer.writeBigInt64LE(BigInt(Math.round(value * DECIMAL_ONE)), at),
};
const readers = {
  u64: (buffer, at) => buffer.readBigUInt64LE(at),
  s64: (buffer, at) => buffer.readBigInt64LE(at),
  f64: (buffer, at) => buffer.readDoubleLE(at),
  decimal: (buffer, at) => Number(buffer.readBigInt64LE(at)) / DECIMAL_ONE,
};

function addressText(bytes, version) {
  if (version !== 6) return bytes.subarray(12).join(".");
  return bytes.toString("hex").match(/.{4}/g).join(":");
}

/** One event. `state`: Buffer of what the workflow keeps for its key, or null; change it in
 * its place. */
class Event {
  constructor(record, state) {
    this.record = record;
    this.state = state;
    this.emitted = [];
    this.timerNs = TIMER_SAME;
    const keyBytes = record[47], fieldCount = record[48];
    const fields = KEY + ((keyBytes + 7) & ~7);
    this.key = record.subarray(KEY, KEY + keyBytes);
    this.payload = record.subarray(fields + 8 * fieldCount,
      fields + 8 * fieldCount + record.readUInt16LE(36));
  }
  get timeNs() { return this.record.readBigUInt64LE(0); }
  get trigger() { return this.record.readUInt16LE(28); }
  get sourcePort() { return this.record.readUInt16LE(38); }
  get destinationPort() { return this.record.readUInt16LE(40); }
  get vlan() { return this.record.readUInt16LE(42); }
  get ipVersion() { return this.record[44]; }
  get ipProtocol() { return this.record[45]; }
  get flags() { return this.record[46]; }
  get source() {
    return addressText(this.record.subarray(ADDRESSES, ADDRESSES + 16), this.ipVersion);
  }
  get destination() {
    return addressText(this.record.subarray(ADDRESSES + 16, ADDRESSES + 32), this.ipVersion);
  }
  /** What functions in the kernel set, by name. */
  get fields() {
    const present = this.record.readUInt32LE(20), found = {};
    const begin = KEY + ((this.key.length + 7) & ~7);
    workflow.fields.slice(0, this.record[48]).forEach((field, number) => {
      if ((present >>> number) & 1)
        found[field.name] = readers[field.type](this.record, begin + 8 * number);
    });
    return found;
  }
  /** A record for an output: all of its fields by name; or, if it has none, a payload, which
   * is that of the event if it is not given. */
  emit(name, values) {
    const output = outputs.get(name);
    if (!output) throw new Error(`there is no output ${name}`);
    const fields = output.fields;
    if (fields.length) {
      const record = Buffer.alloc(OUTPUT_BYTES + 8 * fields.length);
      if (!values || Object.keys(values).length !== fields.length)
        throw new Error(`output ${name} takes all of its fields and no others`);
      record.writeUInt16LE(output.number, 0);
      record.writeUInt16LE(fields.length, 2);
      fields.forEach((field, i) =>
        writers[field.type](record, values[field.name], OUTPUT_BYTES + 8 * i));
      this.emitted.push(record);
      return;
    }
    const payload = values === undefined ? Buffer.alloc(0) : Buffer.from(values);
    const head = Buffer.alloc(OUTPUT_BYTES);
    head.writeUInt16LE(output.number, 0);
    head.writeUInt32LE(values === undefined ? PAYLOAD_SAME : payload.length, 4);
    this.emitted.push(head, payload);
    this.payloads = (this.payloads || 0) + 1;
  }
  /** Have onTimer called for this event's key, once, so many nanoseconds from now on (a number
   * or BigInt); 0: not any more. A key has one timer: it is moved. Takes effect with the
   * state. */
  timer(afterNs) {
    if (!workflow.timer || !workflow.state_bytes)
      throw new Error("timers need `timer: true` and `state_bytes` in the workflow");
    const ns = BigInt(afterNs);
    if (ns < 0n || ns >= TIMER_SAME) throw new Error(`a timer in ${afterNs} ns`);
    this.timerNs = ns;
  }
}

function writeAll(buffer) {
  for (let at = 0; at < buffer.length;) at += fs.writeSync(1, buffer, at);
}

function frame(kind, value, body) {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(HEAD_BYTES - 4 + body.length, 0);
  head.writeUInt16LE(kind, 4);
  head.writeUInt16LE(value, 6);
  return Buffer.concat([head, body]);
}

function fail(text) {
  writeAll(frame(FAILED, 0, Buffer.from(text.slice(0, 200))));
  process.exit(1);
}

let kept = Buffer.alloc(0);
const room = Buffer.alloc(1 << 18);

/** The frames that are there now, at least one; ends the program with its input. */
function readFrames() {
  const frames = [];
  while (!frames.length) {
    const got = fs.readSync(0, room, 0, room.length, null);
    if (!got) process.exit(0);
    kept = Buffer.concat([kept, room.subarray(0, got)]);
    let at = 0;
    while (kept.length - at >= 4) {
      const end = at + 4 + kept.readUInt32LE(at);
      if (end > kept.length) break;
      frames.push(kept.subarray(at, end));
      at = end;
    }
    kept = kept.subarray(at);
  }
  return frames;
}

function call(handler, event) {
  const before = event.state && Buffer.from(event.state);
  const numbers = Buffer.alloc(NUMBERS_BYTES);
  numbers.writeBigUInt64LE(TIMER_SAME, 8);
  try {
    handler(event);
    if (event.state && event.state.length !== workflow.state_bytes)
      throw new Error(`the state has ${event.state.length} bytes, not ${workflow.state_bytes}`);
  } catch (error) {
    console.error(error);
    return { answer: frame(ANSWER, 1, numbers), state: before };
  }
  const changed = event.state && !event.state.equals(before);
  numbers.writeUInt32LE(changed ? event.state.length : 0, 0);
  numbers.writeUInt32LE(event.emitted.length - (event.payloads || 0), 4);
  numbers.writeBigUInt64LE(event.timerNs, 8);
  const parts = changed ? [numbers, event.state] : [numbers];
  return { answer: frame(ANSWER, 0, Buffer.concat(parts.concat(event.emitted))),
           state: event.state };
}

function readParams() {
  const integers = new Set(["u64", "s64", "bytes", "duration"]);
  for (const { name, type, value } of workflow.params)
    params[name] = integers.has(type) ? BigInt(value) : value;
}

/** Call onEvent for each event, until there are no more to come. onTimer is called for timers of
 * keys (Event.timer), and for triggers of time: their number is event.trigger then, 0 else. It
 * needs `timer: true` in the workflow. */
function run(onEvent, onInit, onTimer) {
  const hello = readFrames()[0];
  if (hello.readUInt16LE(4) !== HELLO || hello.readUInt16LE(6) !== VERSION)
    fail(`ebpf_faas.js speaks version ${VERSION} of the frames`);
  Object.assign(workflow, JSON.parse(hello.toString("utf8", HEAD_BYTES)));
  workflow.outputs.forEach((output, number) => outputs.set(output.name, { number, ...output }));
  readParams();
  try {
    if (workflow.timer && !onTimer)
      throw new Error("the workflow says `timer: true`, and the program has no onTimer");
    if (onTimer && !workflow.timer)
      throw new Error("the program has onTimer, and the workflow no `timer: true`");
    if (onInit) onInit();
  } catch (error) {
    fail(String(error));
  }
  writeAll(frame(HELLO, VERSION, Buffer.alloc(0)));
  let answers = [], states = [];
  for (;;) {
    for (const event of readFrames()) {
      const stateBytes = event.readUInt32LE(8), back = event.readUInt32LE(12);
      const end = event.length - stateBytes;
      let state = null;
      if (workflow.state_bytes)
        state = Buffer.from(back ? states[states.length - back] : event.subarray(end));
      const handler = event.readUInt16LE(4) === TIMER ? onTimer : onEvent;
      const done = call(handler, new Event(event.subarray(FRAME_BYTES, end), state));
      answers.push(done.answer);
      states.push(done.state);
      if (event.readUInt16LE(6) & LAST) {
        writeAll(Buffer.concat(answers));
        answers = [];
        states = [];
      }
    }
  }
}

module.exports = { run, workflow, params };
