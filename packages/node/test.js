"use strict";
// For node:test: one simulator for the tests of a file, as new in each of them.

const { MockSolme } = require("./index.js");

/** Exchanges in the report of a test that failed. */
const EXCHANGES = 20;

let running;

/** The simulator, reset. A test that fails has the journal among its diagnostics. */
async function mockSolme(t, options) {
  running ??= MockSolme.start(options);
  const mainServer = await running;
  await mainServer.reset();
  t.after(async () => {
    if (t.error) t.diagnostic(`mock-solme journal:\n${await journal(mainServer)}`);
  });
  return mainServer;
}

async function journal(mainServer) {
  try {
    const entries = await mainServer.journal({ limit: EXCHANGES });
    return entries.map(line).join("\n") || "No License Server has sent anything.";
  } catch (error) {
    return String(error); // the test's own failure is what matters
  }
}

/** As JSON: text of others may hold what acts on a terminal. */
function line(entry) {
  const { number, at, carrier, license_server_id: id, verdict, clause, quirk, detail } = entry;
  const words = [number, at, carrier, id, verdict, clause, quirk, detail].filter((word) => word !== null && word !== "");
  return words.map((word) => JSON.stringify(word).replace(/^"|"$/g, "")).join("  ");
}

module.exports = { mockSolme };
