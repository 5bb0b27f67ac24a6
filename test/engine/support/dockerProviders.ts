import * as path from 'node:path';
import { expect } from 'vitest';
import { SwarmError } from '../../../src/model/errors.ts';
import type { OperationContext } from '../../../src/model/operationContext.ts';
import { DockerProviderConfig } from '../../../src/providers/docker/dockerConfig.ts';
import { DockerProvider } from '../../../src/providers/docker/dockerProvider.ts';
import type { ProviderEnvironment } from '../../../src/providers/providerEnvironment.ts';
import { testMachine } from '../../fakes/testMachine.ts';

/** What the Docker provider needs of this machine. */
export const environment: ProviderEnvironment = {
  localDirectory: '/nonexistent',
  launcher: path.resolve(import.meta.dirname, '../../../media/instance/launcher.mjs'),
  editorServerDirectory: '/nonexistent',
  machine: testMachine,
  readSecret: async () => undefined,
};

/** A provider with these settings; nothing is contacted. */
export const dockerProvider = (settings: Omit<DockerProviderConfig, 'id' | 'type'>): DockerProvider =>
  new DockerProvider(DockerProviderConfig.parse({ id: 'docker', type: 'docker', ...settings }), environment);

/** The error that the promise is rejected with; it names the next step, as every error does. */
export async function failureOf(promise: Promise<unknown>): Promise<SwarmError> {
  const error = await promise.then(
    value => expect.fail(`should have been rejected, but was ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SwarmError);
  expect((error as SwarmError).hint).toBeTruthy();
  return error as SwarmError;
}

/** A context that collects what is reported, and is cancelled at the first report that `at` matches. */
export function contextCancelledAt(at?: RegExp): OperationContext & { reports: string[]; fractions: number[] } {
  const controller = new AbortController();
  const reports: string[] = [];
  const fractions: number[] = [];
  return {
    signal: controller.signal,
    reports,
    fractions,
    report: (message, fraction) => {
      reports.push(message);
      if (fraction !== undefined) fractions.push(fraction);
      if (at?.test(message)) controller.abort();
    },
  };
}
