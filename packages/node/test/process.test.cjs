// The process: it ends with whoever started it, and says why it is not there.
const assert = require("node:assert/strict");
const { spawnSync } = require("node:child_process");
const { existsSync, mkdtempSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { MainServerDied, MockSolme } = require("mock-solme");

const isGone = (pid) => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

test("two run side by side, and end when they are stopped", async () => {
  const [one, two] = await Promise.all([MockSolme.start({ args: ["--empty"] }), MockSolme.start()]);
  assert.notEqual(one.mainServerId, two.mainServerId);
  assert.deepEqual(await one.ids(), []);
  await Promise.all([one.stop(), two.stop(), two.stop()]);
  assert.ok(isGone(one.pid) && !existsSync(two.trustFile));
});

test("what is wrong with its arguments is in the error", async () => {
  await assert.rejects(
    MockSolme.start({ args: ["--https", "nonsense"] }),
    (error) => error instanceof MainServerDied && /--https/.test(error.message),
  );
});

test("a call after its death says so", async () => {
  const mainServer = await MockSolme.start();
  process.kill(mainServer.pid, "SIGKILL");
  await assert.rejects(mainServer.ids(), MainServerDied);
});

test("a program that forgets to stop it ends all the same", () => {
  const forgets = "require('mock-solme').MockSolme.start().then((m) => console.log(m.pid))";
  const { status, stdout } = spawnSync(process.execPath, ["-e", forgets], { cwd: __dirname, timeout: 60_000 });
  assert.equal(status, 0);
  assert.match(String(stdout), /^\d+\n$/);
});

test("a test that fails shows the journal", () => {
  // Inside of this folder, so that the package is found.
  const folder = mkdtempSync(path.join(__dirname, "fails-"));
  const file = path.join(folder, "fails.test.cjs");
  writeFileSync(
    file,
    `require("node:test")("it", async (t) => {
       await require("mock-solme/test").mockSolme(t);
       throw new Error("on purpose");
     });`,
  );
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stdout } = spawnSync(process.execPath, ["--test", "--test-reporter=tap", file], { env });
  assert.equal(status, 1);
  assert.match(String(stdout), /mock-solme journal:[^]*No License Server has sent anything\./);
});
