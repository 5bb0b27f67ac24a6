import { buildExtension } from '../scripts/build.ts';

/** What the suites that load the extension, or bring its program to a host, start from. */
export async function setup(): Promise<void> {
  await buildExtension(false);
}
