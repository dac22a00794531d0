import { MockSolme, AdminError, type License } from "mock-solme";
import { mockSolme } from "mock-solme/test";
import { test } from "node:test";

test("types", async (t) => {
  const mainServer: MockSolme = await mockSolme(t, { args: ["--seed", "7"] });
  const license: License = await mainServer.addLicense(mainServer.demoId, { components: { Base: 5 }, reason: "why" });
  const left: number | null | undefined = (await mainServer.arm("drop-reply", { when: { next: 1 } })).left;
  // @ts-expect-error: a number of users is a number
  await mainServer.addLicense(mainServer.demoId, { components: { Base: "5" } });
  await mainServer.id(license.number).catch((error: unknown) => error instanceof AdminError && error.code + left);
});
