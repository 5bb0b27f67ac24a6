import { setTimeout as sleep } from 'node:timers/promises';

/** How Windows refuses to rename or remove what another program has open at the moment: a virus scanner, another window. */
const inUse = ['EPERM', 'EACCES', 'EBUSY'];

/** How long it is tried again, and between two tries; milliseconds. A scanner takes some hundreds for a file. */
const patience = 2_000;
const pauses = { from: 5, to: 100 };
/** The same where the whole process waits meanwhile. */
const patienceSync = 500;

/** Whether what a rename, a removal or a creation was refused for may pass: elsewhere than on Windows it never does. */
export const isInUse = (error: unknown, platform: NodeJS.Platform = process.platform): boolean =>
  platform === 'win32' && inUse.includes((error as NodeJS.ErrnoException).code ?? '');

/** Does it as soon as no other program keeps Windows from it. What `act` has to be sure of, it asks at each try. */
export async function unlessInUse<R>(act: () => R | Promise<R>, platform = process.platform): Promise<R> {
  const deadline = performance.now() + patience;
  for (let pause = pauses.from; ; pause = Math.min(2 * pause, pauses.to)) {
    try {
      return await act();
    } catch (error) {
      if (!isInUse(error, platform) || performance.now() > deadline) throw error;
    }
    await sleep(pause);
  }
}

/** The same where nothing else may happen in this process between two steps. */
export function unlessInUseSync<R>(act: () => R, platform = process.platform): R {
  const deadline = performance.now() + patienceSync;
  const still = new Int32Array(new SharedArrayBuffer(4));
  for (let pause = pauses.from; ; pause = Math.min(2 * pause, pauses.to)) {
    try {
      return act();
    } catch (error) {
      if (!isInUse(error, platform) || performance.now() > deadline) throw error;
    }
    Atomics.wait(still, 0, 0, pause);
  }
}
