import { expect } from 'vitest';
import { SwarmError } from '../../src/model/errors.ts';
import type { OperationContext } from '../../src/model/operationContext.ts';

/** A context that collects what is reported and aborts itself at the `abortAt`th report. */
export function watchedContext(
  abortAt = Number.POSITIVE_INFINITY,
): OperationContext & { reports: string[]; abort(): void } {
  const controller = new AbortController();
  const reports: string[] = [];
  return {
    signal: controller.signal,
    reports,
    abort: () => controller.abort(),
    report: message => {
      reports.push(message);
      if (reports.length >= abortAt) controller.abort();
    },
  };
}

/** What the promise is rejected with. */
export const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    value => expect.fail(`should have been rejected, but was ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );

export async function expectCode(promise: Promise<unknown>, code: string): Promise<void> {
  const error = await failure(promise);
  expect(error).toBeInstanceOf(SwarmError);
  expect((error as SwarmError).code).toBe(code);
  expect((error as SwarmError).hint, 'every error names the next step').toBeTruthy();
}

/** A command that fills the workspace with all that is easily lost on the way: modes, links, times, empty folders. */
export const fillHome =
  'mkdir -p t/empty && head -c 300000 /dev/urandom > t/data && chmod 640 t/data && ln -s data t/link && ln t/data t/hard && touch -d @1000000000 t/data && chmod 750 . && chmod 751 ..';

/** A command that prints everything about what {@link fillHome} made. */
export const homeDigest =
  'cd t && ls -lnR --time-style=+%s . | grep -v ^total; cksum data hard; readlink link; stat -c "%a %u" .. ../..';
