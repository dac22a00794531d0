import { MockSolme, StartOptions } from "./index.js";

/** What is used of the context of a test. */
export interface Context {
  after(fn: () => Promise<void>): void;
  diagnostic(message: string): void;
}

/**
 * The simulator of this test file, as new: it is reset, not restarted. A test that fails has the journal among its
 * diagnostics.
 */
export function mockSolme(t: Context, options?: StartOptions): Promise<MockSolme>;
