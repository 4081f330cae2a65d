// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Numbers out of JSON: one member of each object, where it is a number and moved enough; and who
// sends none any more.
"use strict";

const faas = require("./ebpf_faas.js");

const member = process.argv[2];

function onEvent(event) {
  const value = JSON.parse(event.payload.toString())[member];
  if (typeof value !== "number") throw new Error(`no number in ${member}`);
  event.timer(faas.params.silence);
  const last = event.state.readDoubleLE(0), isFirst = event.state[8] === 0;
  if (!isFirst && Math.abs(value - last) < faas.params.least) return;
  event.state.writeDoubleLE(value, 0);
  event.state[8] = 1;
  event.emit("moved", { value });
}

faas.run(onEvent, null, (event) => event.emit("silent", { value: event.state.readDoubleLE(0) }));
