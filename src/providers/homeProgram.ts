import { once } from 'node:events';
import * as path from 'node:path';
import type { Writable } from 'node:stream';
import { homeTaskFailed } from '../model/homeErrors.ts';

/** `media/instance/home.mjs`, which lies beside the launcher. */
export const homeProgram = (launcher: string) => path.join(path.dirname(launcher), 'home.mjs');

/** `dist/hostProgram.cjs` of the same extension. */
export const hostProgram = (launcher: string) => path.resolve(path.dirname(launcher), '../../dist/hostProgram.cjs');

/** What is kept of what a program says when it fails. */
const mostSaid = 2_000;

/** Throws when a program beside a home, whose output has ended, has said why it failed. */
export function checkSaid(instanceId: string, providerId: string, said: string): void {
  const words = said.trim().slice(0, mostSaid).replace(/\.$/, '');
  if (words !== '') throw homeTaskFailed(instanceId, providerId, words);
}

/** How a program's input is written, at its own pace; an input that broke takes everything and keeps nothing. */
export function writerTo(input: Writable): (chunk: Uint8Array) => Promise<void> {
  input.on('error', () => {});
  const closed = once(input, 'close').catch(() => {});
  return async chunk => {
    if (input.destroyed || input.write(chunk)) return;
    await Promise.race([once(input, 'drain').catch(() => {}), closed]);
  };
}
