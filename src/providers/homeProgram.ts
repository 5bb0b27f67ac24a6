import * as path from 'node:path';
import { homeTaskFailed } from '../model/errors.ts';

/** `media/instance/home.mjs`, which lies beside the launcher. */
export const homeProgram = (launcher: string) => path.join(path.dirname(launcher), 'home.mjs');

/** What is kept of what a program says when it fails. */
const mostSaid = 2_000;

/** Throws unless a program beside a home has ended well. */
export function checkEnd(instanceId: string, providerId: string, exitCode: number | null, said: string): void {
  if (exitCode === 0) return;
  const words = said.trim().slice(0, mostSaid).replace(/\.$/, '');
  throw homeTaskFailed(instanceId, providerId, words || 'its program was ended from outside');
}
