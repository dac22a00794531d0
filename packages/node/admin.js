"use strict";
// The admin API, a method for each call. Answers are its JSON.

/** Milliseconds that a call may take. */
const AT_MOST = 60_000;

class AdminError extends Error {
  constructor(status, { code, detail, cure = "" }) {
    super(`${code}: ${detail} ${cure}`.trim());
    this.name = "AdminError";
    Object.assign(this, { status, code, detail, cure });
  }
}

class AdminApi {
  constructor(admin, adminToken) {
    this.admin = admin.replace(/\/+$/, "");
    this.adminToken = adminToken;
  }

  // --- license server ids

  ids({ after = "", limit = 100 } = {}) {
    return this._json("GET", ["ids"], undefined, { after, limit });
  }

  id(id) {
    return this._json("GET", ["ids", id]);
  }

  addId(id, { name, contacts = [], reserveFor, operator } = {}) {
    return this._json("POST", ["ids"], {
      license_server_id: id,
      name,
      contacts,
      reserve_for: reserveFor,
      operator,
    });
  }

  changeId(id, { name, contacts, operator } = {}) {
    return this._json("PATCH", ["ids", id], { name, contacts, operator });
  }

  disableId(id, by = {}) {
    return this._json("POST", ["ids", id, "disable"], by);
  }

  enableId(id, by = {}) {
    return this._json("POST", ["ids", id, "enable"], by);
  }

  resetId(id, { operator } = {}) {
    return this._json("POST", ["ids", id, "reset"], { operator });
  }

  // --- licenses

  licenses(id) {
    return this._json("GET", ["ids", id, "licenses"]);
  }

  addLicense(id, { components, validFrom, expiresAt, ...others } = {}) {
    return this._json("POST", ["ids", id, "licenses"], {
      ...others,
      components: components && Object.entries(components).map(([name, users]) => ({ name, max_users: users })),
      valid_from: validFrom && time(validFrom),
      expires_at: expiresAt && time(expiresAt),
    });
  }

  removeLicense(id, number, { operator } = {}) {
    return this._json("DELETE", ["ids", id, "licenses", number], { operator });
  }

  // --- the key pair

  keyPair(id) {
    return this._json("GET", ["ids", id, "key-pair"]);
  }

  clearKeyPair(id, { thumbprint, evenSo = true, reserveFor, operator, reason = "by a test" } = {}) {
    const body = { thumbprint, even_so: evenSo, reserve_for: reserveFor, operator, reason };
    return this._json("POST", ["ids", id, "key-pair", "clear"], body);
  }

  reserveFor(id, thumbprint, { operator } = {}) {
    return this._json("POST", ["ids", id, "key-pair", "reserve"], { reserve_for: thumbprint, operator });
  }

  // --- mail

  clearRequests({ id, limit = 100 } = {}) {
    return this._json("GET", ["clear-requests"], undefined, { id, limit });
  }

  approveClearRequest(number, { evenSo = true, reserve = false, operator, reason = "by a test" } = {}) {
    const body = { even_so: evenSo, reserve, operator, reason };
    return this._json("POST", ["clear-requests", number, "approve"], body);
  }

  rejectClearRequest(number, { operator, reason = "by a test" } = {}) {
    return this._json("POST", ["clear-requests", number, "reject"], { operator, reason });
  }

  outbox({ limit = 100 } = {}) {
    return this._json("GET", ["outbox"], undefined, { limit });
  }

  mail(number) {
    return this._json("GET", ["outbox", number]);
  }

  // --- files, trust

  async processRequest(requestFile) {
    const answer = await this._call("POST", ["process-request"], requestFile);
    return Buffer.from(await answer.arrayBuffer());
  }

  trustFor({ https, http } = {}) {
    return this._json("POST", ["trust-file"], { https, http });
  }

  // --- time

  async now() {
    return new Date((await this._json("GET", ["clock"])).now);
  }

  async setClock(now) {
    return new Date((await this._json("PUT", ["clock"], { now: time(now) })).now);
  }

  async advanceClock({ days = 0, hours = 0, seconds = 0 }) {
    const by = days * 86_400 + hours * 3_600 + seconds;
    return new Date((await this._json("POST", ["clock", "advance"], { seconds: by })).now);
  }

  // --- quirks

  quirks() {
    return this._json("GET", ["quirks"]);
  }

  arm(quirk, { where = {}, when = {}, with: parameters = {} } = {}) {
    return this._json("POST", ["quirks", "faults"], { quirk, where, when, with: parameters });
  }

  armed() {
    return this._json("GET", ["quirks", "faults"]);
  }

  disarm(number) {
    return this._json("DELETE", number === undefined ? ["quirks", "faults"] : ["quirks", "faults", number]);
  }

  // --- what happened

  journal({ id, limit = 100 } = {}) {
    return this._json("GET", ["journal"], undefined, { id, limit });
  }

  audit({ id, limit = 100 } = {}) {
    return this._json("GET", ["audit"], undefined, { id, limit });
  }

  async reset() {
    await this._json("POST", ["reset"]);
  }

  // --- the wire

  async _json(method, path, body, query) {
    const answer = await this._call(method, path, body === undefined ? undefined : JSON.stringify(body), query);
    return answer.json();
  }

  async _call(method, path, body, query = {}) {
    const url = new URL(this.admin + path.map((part) => `/${encodeURIComponent(part)}`).join(""));
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const headers = { authorization: `Bearer ${this.adminToken}`, "content-type": "application/json" };
    const answer = await fetch(url, { method, headers, body, signal: AbortSignal.timeout(AT_MOST) });
    if (!answer.ok) throw new AdminError(answer.status, await problem(answer));
    return answer;
  }
}

async function problem(answer) {
  const text = await answer.text();
  try {
    const problem = JSON.parse(text);
    if (typeof problem.code === "string" && typeof problem.detail === "string") return problem;
  } catch {
    // It is no JSON.
  }
  const detail = `Status ${answer.status} without a problem document.`;
  return { code: "not-the-admin-api", detail, cure: "Check the URL." };
}

/** Main server time has no fractions of a second. */
function time(date) {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}

module.exports = { AdminApi, AdminError };
