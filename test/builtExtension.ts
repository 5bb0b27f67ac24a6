import { accessSync, constants } from 'node:fs';
import { buildExtension } from '../scripts/build.ts';
import { projectRoot } from '../scripts/editorHost.ts';

/** What the suites that load the extension, or bring its program to a host, start from. */
export async function setup(): Promise<void> {
  try {
    accessSync(projectRoot, constants.W_OK);
  } catch {
    // To whom the checkout does not belong, use what its owner has built.
    return;
  }
  await buildExtension(false);
}
