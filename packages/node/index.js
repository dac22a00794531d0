"use strict";
// The simulator as a process of one's own: it starts on free ports, and ends with the program that started it.

const { spawn } = require("node:child_process");
const { existsSync } = require("node:fs");
const path = require("node:path");
const { AdminApi, AdminError } = require("./admin.js");

/** Milliseconds that it may take to be ready, and to end. */
const STARTS_WITHIN = 30_000;
const ENDS_WITHIN = 10_000;
/** Characters of the log that are kept. */
const LOG_AT_MOST = 1 << 20;

class MainServerDied extends Error {
  constructor(what, log) {
    super(`${what}\n${log.trimEnd() || "(its log is empty)"}`);
    this.name = "MainServerDied";
    this.log = log;
  }
}

/** The path of `mock-solme`, `license-server` or `harness`; MOCK_SOLME_PROGRAM, for example, names another. */
function program(name) {
  const variable = `${name.toUpperCase().replaceAll("-", "_")}_PROGRAM`;
  if (process.env[variable]) return process.env[variable];
  const inside = path.join(__dirname, "bin", name);
  if (!existsSync(inside)) throw new Error(`${inside} is missing; reinstall the package, or set ${variable} to its path`);
  return inside;
}

class MockSolme extends AdminApi {
  static async start({ args = [], data } = {}) {
    const words = data === undefined ? args : [...args, "--data", data];
    const child = spawn(program("mock-solme"), ["serve", "--exit-with-stdin", ...words]);
    const log = { text: "" };
    child.stderr.setEncoding("utf8").on("data", (text) => {
      log.text = (log.text + text).slice(-LOG_AT_MOST);
    });
    child.stdin.on("error", () => {}); // it has ended before
    const line = await firstLine(child, log);
    let ready;
    try {
      ready = JSON.parse(line);
    } catch {
      throw new MainServerDied("mock-solme did not get ready:", log.text);
    }
    // From here on it does not keep this program from ending; and it ends when this program does.
    for (const each of [child, child.stdin, child.stdout, child.stderr]) each.unref();
    return new MockSolme(child, log, ready);
  }

  constructor(child, log, ready) {
    super(ready.admin, ready.admin_token);
    this._child = child;
    this._log = log;
    this._ended = new Promise((ended) => child.once("exit", ended));
    this.pid = child.pid;
    this.https = ready.https;
    this.http = ready.http;
    this.smtp = ready.smtp;
    this.trustFile = ready.trust_file;
    this.mainServerId = ready.main_server_id;
    this.demoId = ready.demo_license_server_id;
    this.seed = ready.seed;
  }

  get log() {
    return this._log.text;
  }

  async stop() {
    if (this._child.exitCode !== null || this._child.signalCode !== null) return;
    this._child.ref();
    this._child.stdin.end();
    const late = setTimeout(() => this._child.kill("SIGKILL"), ENDS_WITHIN);
    await this._ended;
    clearTimeout(late);
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.stop();
  }

  /** Its end, or a second. */
  async _ends() {
    let late;
    await Promise.race([this._ended, new Promise((soon) => (late = setTimeout(soon, 1_000)))]);
    clearTimeout(late);
  }

  async _call(...call) {
    try {
      return await super._call(...call);
    } catch (error) {
      if (error instanceof AdminError || !(error instanceof TypeError)) throw error;
      await this._ends(); // it may be about to
      const { exitCode, signalCode } = this._child;
      if (exitCode === null && signalCode === null) throw error;
      throw new MainServerDied(`mock-solme has ended with ${signalCode ?? `exit code ${exitCode}`}:`, this.log);
    }
  }
}

/** What it says first; nothing if it ends before. */
function firstLine(child, log) {
  return new Promise((resolve, reject) => {
    let said = "";
    const late = setTimeout(() => child.kill("SIGKILL"), STARTS_WITHIN);
    child.once("error", (error) => {
      clearTimeout(late);
      reject(new MainServerDied(`mock-solme cannot be started: ${error.message}`, log.text));
    });
    child.once("close", () => {
      clearTimeout(late);
      resolve("");
    });
    child.stdout.setEncoding("utf8").on("data", (text) => {
      said += text;
      if (!said.includes("\n")) return;
      clearTimeout(late);
      resolve(said.split("\n", 1)[0]);
    });
  });
}

module.exports = { AdminApi, AdminError, MainServerDied, MockSolme, program };
