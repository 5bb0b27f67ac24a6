import * as path from 'node:path';
import type { Writable } from 'node:stream';
import { homeTaskFailed } from '../model/homeErrors.ts';

/** `media/instance/home.mjs`, which lies beside the launcher. */
export const homeProgram = (launcher: string) => path.join(path.dirname(launcher), 'home.mjs');

/** `dist/hostProgram.json` of the same extension: the names of the files beside it that run on a host, the program first. */
export const hostProgramList = (launcher: string) =>
  path.resolve(path.dirname(launcher), '../../dist/hostProgram.json');

/** What is kept of what a program says when it fails. */
const mostSaid = 2_000;

/**
 * Throws unless what a program beside a home has said is only that it has done its work: with why it failed, where it
 * said so. That its output has ended proves nothing, as when it was killed, or an engine between died (semantics 25).
 */
export function checkSaid(instanceId: string, providerId: string, said: string): void {
  const words = said.trim();
  if (words === 'done') return;
  const reason = words.slice(0, mostSaid).replace(/\.$/, '') || 'the program that was at it did not come to its end';
  throw homeTaskFailed(instanceId, providerId, reason);
}

/** Bytes that may wait for a program to read them. */
const mostWaiting = 256 * 1024;

/** How a program's input is written, at its own pace; an input that broke takes everything and keeps nothing. */
export function writerTo(input: Writable): (chunk: Uint8Array) => Promise<void> {
  let goOn = () => {};
  for (const event of ['drain', 'close']) input.on(event, () => goOn());
  input.on('error', () => {});
  return async chunk => {
    if (input.destroyed) return;
    input.write(chunk, () => giveBack(chunk));
    if (input.writableLength < mostWaiting) return;
    await new Promise<void>(resolve => {
      goOn = resolve;
    });
  };
}

/**
 * Gives memory back when nobody else has a part of it. To find that out, the collector would go through everything that
 * this process holds, again and again while much is on its way: that costs more than the transfer.
 */
export function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && byteLength === buffer.byteLength) buffer.transfer(0);
}
