// The key-pair story with the real License Server: a leaked id is refused, a reinstalled server is let in after a clear.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { AdminError, program } from "mock-solme";
import { mockSolme } from "mock-solme/test";

const REFUSED = 10;

function folder(t) {
  const folder = mkdtempSync(path.join(tmpdir(), "mock-solme-node-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function licenseServer(mainServer, state) {
  const run = (...words) => {
    const { status, stdout } = spawnSync(program("license-server"), ["--json", "--state", state, ...words]);
    return { status, ...JSON.parse(stdout) };
  };
  run("init", "--id", mainServer.demoId, "--trust", mainServer.trustFile);
  return run;
}

test("one key pair owns the id until it is cleared", async (t) => {
  const mainServer = await mockSolme(t);
  const at = folder(t);
  const serverA = licenseServer(mainServer, path.join(at, "a"));
  assert.equal(serverA("synchronize").outcome, "synchronized");
  const owner = (await mainServer.keyPair(mainServer.demoId)).key_thumbprint;

  const thief = licenseServer(mainServer, path.join(at, "b"));
  const { status, code } = thief("synchronize");
  assert.deepEqual({ status, code }, { status: REFUSED, code: "key-pair-in-use" });
  assert.equal((await mainServer.keyPair(mainServer.demoId)).key_thumbprint, owner);

  const reinstalled = licenseServer(mainServer, path.join(at, "c"));
  assert.equal(reinstalled("synchronize").code, "key-pair-in-use");
  reinstalled("request-clear", "--from", "it@customer.example", "--smtp", mainServer.smtp);
  const [asked] = await mainServer.clearRequests();
  await assert.rejects(
    mainServer.approveClearRequest(asked.id, { evenSo: false }),
    (error) => error instanceof AdminError && error.status === 409,
  );
  await mainServer.approveClearRequest(asked.id, { operator: "olle", reason: "called back" });
  assert.equal(reinstalled("synchronize").status, 0);
  assert.equal(serverA("synchronize").code, "key-pair-cleared");
  const verdicts = (await mainServer.journal({ id: mainServer.demoId })).map((entry) => entry.verdict);
  assert.equal(verdicts.filter((verdict) => verdict === "key-pair-in-use").length, 2);
});

test("a response file, a license, and a quirk", async (t) => {
  const mainServer = await mockSolme(t);
  const at = folder(t);
  const server = licenseServer(mainServer, path.join(at, "a"));
  const [request, response] = [path.join(at, "request"), path.join(at, "response")];
  server("export-request", request);
  writeFileSync(response, await mainServer.processRequest(readFileSync(request)));
  assert.equal(server("import-response", response).status, 0);
  const { number } = await mainServer.addLicense(mainServer.demoId, { components: { Base: 5 } });
  await mainServer.arm("drop-reply", { when: { next: 1 } });
  server("synchronize");
  server("synchronize");
  assert.deepEqual((await mainServer.armed()).map((fault) => fault.fired), [1]);
  assert.equal(server("may-issue", number).status, 0);
});

test("the next test finds it as new, and a year passes", async (t) => {
  const mainServer = await mockSolme(t);
  assert.deepEqual([await mainServer.journal(), await mainServer.armed()], [[], []]);
  const before = await mainServer.now();
  const after = await mainServer.advanceClock({ days: 366 });
  assert.ok(after - before >= 366 * 86_400_000);
});
