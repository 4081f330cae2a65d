// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Tells of keys that were silent for a while.
"use strict";

const faas = require("./ebpf_faas.js");

function onInit() {
  if (faas.params.factor < 0) throw new Error("factor is below 0");
}

function onEvent(event) {
  event.state.writeBigUInt64LE(event.state.readBigUInt64LE(0) + 1n, 0);
  event.timer(event.payload.toString() === "never" ? 0 : faas.params.silence);
}

function onTimer(event) {
  const count = event.state.readBigUInt64LE(0);
  if (event.trigger === faas.params.clock) event.emit("swept", { swept: count });
  else
    event.emit("silent", { count, scaled: Number(count) * faas.params.factor,
                           least: faas.params.offset });
}

faas.run(onEvent, onInit, onTimer);
