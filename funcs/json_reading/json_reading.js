// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Numbers out of JSON: one member of each object, where it is a number and moved enough.
"use strict";

const faas = require("./ebpf_faas.js");

const [member, least] = [process.argv[2], Number(process.argv[3])];

faas.run((event) => {
  const value = JSON.parse(event.payload.toString())[member];
  if (typeof value !== "number") throw new Error(`no number in ${member}`);
  const last = event.state.readDoubleLE(0), isFirst = event.state[8] === 0;
  if (!isFirst && Math.abs(value - last) < least) return;
  event.state.writeDoubleLE(value, 0);
  event.state[8] = 1;
  event.emit("moved", { value });
});
