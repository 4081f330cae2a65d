// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Counts the events of each key.
"use strict";

const faas = require("./ebpf_faas.js");

faas.run((event) => {
  if (event.payload.toString() === "error") throw new Error("as it was told");
  const count = event.state.readBigUInt64LE(0) + 1n;
  event.state.writeBigUInt64LE(count, 0);
  event.emit("counted", { count });
});
