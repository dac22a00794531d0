#!/usr/bin/env node
// A License Server as a subject of `harness conformance client`.
//
// SUBJECT.md is the contract, PROTOCOL.md the protocol. A verb that is not in `verbs` answers 89, "not implemented".
// To implement one, take the comment away and return the JSON to print. What you log to standard error is shown when a case
// fails, and an exception fails it.
//
// The cryptography is P-384 (ECDSA, ECDH) and SHA-384, which node:crypto has, and HPKE (RFC 9180), for which there are
// packages; it is also few lines over node:crypto.

import { createInterface } from "node:readline";

const NOT_IMPLEMENTED = 89;

// Each takes the verb's flags: flags.state is a directory of your own; another one is another server.
const verbs = {
  // /** Remembers flags.id and the trust file flags.trust (P 15), and makes a key pair. */
  // async init(flags) {
  //   return { outcome: "done" };
  // },
  // /** Posts a request to the 443 role, checks the receipt, fetches the payload, stores both (P 5, 11, 13). */
  // async synchronize(flags) {
  //   const changes = { added: [], removed: [], changed: [] };
  //   return { outcome: "synchronized", code: "synchronized", changes };
  // },
  // async status(flags) {
  //   const never = { key_generation: null, sequence: null, synchronize_by: null, days_left: null };
  //   return { state: "unsynchronized", key_thumbprint: "...", ...never, licenses: [] };
  // },
  // /** May it issue licenses, or flags.license, now (P 17)? */
  // async "may-issue"(flags) {
  //   return { may_issue: false, code: "unsynchronized" };
  // },
  // /** From now on the local clock is Number(flags.offset) seconds ahead (P 17). */
  // async "set-clock"(flags) {
  //   return { outcome: "done" };
  // },
  // /** Writes a request file to flags.out (P 14). */
  // async "export-request"(flags) {
  //   return { outcome: "done" };
  // },
  // /** Reads the response file flags.in as synchronize reads an answer, and returns the same. */
  // async "import-response"(flags) {},
  // /** Replaces the key pair (P 3). */
  // async "new-key-pair"(flags) {
  //   return { outcome: "done" };
  // },
};

/** What a verb answers, with the exit code of a process. */
async function answer([verb, ...words]) {
  if (!Object.hasOwn(verbs, verb)) return { exit_code: NOT_IMPLEMENTED };
  const flags = {};
  for (let at = 0; at < words.length; at += 2) flags[words[at].replace(/^--/, "")] = words[at + 1];
  try {
    return { exit_code: 0, json: await verbs[verb](flags) };
  } catch (error) {
    return { exit_code: 1, stderr: `${error.stack}\n` };
  }
}

if (process.argv[2] === "worker") {
  // A verb a line (SUBJECT.md): Node is started once, not for each.
  console.log(JSON.stringify({ worker: 1 }));
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await answer(JSON.parse(line))));
  }
} else {
  const { exit_code, json, stderr } = await answer(process.argv.slice(2));
  if (json) console.log(JSON.stringify(json));
  process.stderr.write(stderr ?? "");
  process.exitCode = exit_code;
}
