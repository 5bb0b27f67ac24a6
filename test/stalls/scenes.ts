import { homeText, type StallWorld, type Window } from './stallWorld.ts';

/** What is acted on. */
export interface Told {
  readonly id: string;
}

/** What a window does that may be stopped on its way, or another one meanwhile. */
export interface Act {
  readonly name: string;
  /** Whether the instance, with its home, may be gone for good then. */
  readonly removes?: true;
  do(window: Window, told: Told, world: StallWorld): Promise<unknown>;
}

/** An act, and the world that it is done in. */
export interface Scene extends Act {
  /** In the window that acts. */
  prepare(window: Window, world: StallWorld): Promise<Told>;
}

const running = async ({ controller }: Window, world: StallWorld): Promise<Told> => {
  const { id } = await controller.createInstance({ name: 'web' }, 'here');
  world.fill('here', id);
  return { id };
};

const stopped = async (window: Window, world: StallWorld): Promise<Told> => {
  const told = await running(window, world);
  await window.controller.stopInstance(told.id);
  return told;
};

const trashed = async (window: Window, world: StallWorld): Promise<Told> => {
  const told = await running(window, world);
  await window.controller.deleteInstance(told.id);
  return told;
};

const start: Act = { name: 'start', do: ({ controller }, { id }) => controller.startInstance(id) };
const stop: Act = { name: 'stop', do: ({ controller }, { id }) => controller.stopInstance(id) };
const restart: Act = { name: 'restart', do: ({ controller }, { id }) => controller.restartInstance(id) };
const trash: Act = { name: 'delete', do: ({ controller }, { id }) => controller.deleteInstance(id) };
const restore: Act = { name: 'restore', do: ({ controller }, { id }) => controller.restoreInstance(id) };
const purge: Act = {
  name: 'delete permanently',
  removes: true,
  do: ({ controller }, { id }) => controller.purgeInstance(id),
};
const rename: Act = { name: 'rename', do: ({ controller }, { id }) => controller.updateInstance(id, { name: 'site' }) };
const look: Act = { name: 'look and settle', do: ({ controller }) => controller.refresh() };

export const acts: readonly Act[] = [start, stop, restart, trash, restore, purge, rename, look];

export const scenes: readonly Scene[] = [
  { ...start, prepare: stopped },
  { ...stop, prepare: running },
  { ...restart, prepare: running },
  { ...trash, prepare: running },
  { ...restore, prepare: trashed },
  { ...purge, prepare: running },
  { ...rename, prepare: running },
];

export const knownTexts: readonly string[] = [homeText, ''];
