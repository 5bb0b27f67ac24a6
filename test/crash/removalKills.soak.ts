import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import type { SwarmController } from '../../src/core/swarmController.ts';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';
import { deeds } from './deeds.ts';
import { diskController } from './diskController.ts';
import { localProvider } from './twoFolders.ts';

const root = path.resolve(import.meta.dirname, '..', '..');
const [firstText, laterText] = ['as it was', 'as it became'];

let scratch: string;
let windows: SwarmController[];
const rows: string[] = [];

async function open(state: string): Promise<SwarmController> {
  const providers = await Promise.all(['here', 'there'].map(id => localProvider(scratch, id)));
  const directory = new ProviderDirectory(providers);
  const opened = await diskController(path.join(scratch, state), directory, undefined, {}, new StreamCarrier());
  windows.push(opened);
  await opened.initialize();
  await opened.refresh();
  return opened;
}

async function close(): Promise<void> {
  for (const window of windows) await window.dispose();
  windows = [];
}

async function clear(): Promise<void> {
  for (const window of windows) {
    for (const { id, overruled } of window.listInstances()) if (!overruled) await window.purgeInstance(id);
  }
  await close();
  for (const name of readdirSync(scratch)) rmSync(path.join(scratch, name), { recursive: true, force: true });
}

const foldersOf = (place: string, id: string) =>
  (existsSync(path.join(scratch, place)) ? readdirSync(path.join(scratch, place)) : [])
    .filter(name => name.startsWith(`${id}--`))
    .map(name => path.join(scratch, place, name));

const textIn = (folder: string) => path.join(folder, 'home', 'workspace', 'text');

function killedWindow(state: string, name: string, told: string, diesAt: number): Promise<string[] | undefined> {
  const file = path.join(import.meta.dirname, 'killedWindow.ts');
  const child = spawn(process.execPath, [file, scratch, state, name, told, String(diesAt)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [said, errors] = ['', ''];
  child.stdout.on('data', chunk => {
    said += chunk;
  });
  child.stderr.on('data', chunk => {
    errors += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (signal === 'SIGKILL') resolve(undefined);
      else if (code === 0) resolve(JSON.parse(said));
      else reject(new Error(`The window ended with ${code ?? signal}: ${errors}`));
    });
  });
}

/** Registry, places and archive agree, no home is half of anything; says what there is. */
function whole(window: SwarmController): string {
  const told = window.listInstances().map(record => {
    const { id, status, desired, providerId, role, restoring, error, overruled } = record;
    expect({ id, restoring, error }).toEqual({ id, restoring: undefined, error: undefined });
    if (overruled) return `another's`;
    expect([`running running`, `stopped stopped`, `trashed trashed`]).toContain(`${desired} ${status}`);
    const [folder = '', ...others] = foldersOf(providerId, id);
    expect(others).toEqual([]);
    expect(path.basename(folder)).toBe(`${id}--${role}`);
    const text = readFileSync(textIn(folder), 'utf8');
    expect([firstText, laterText]).toContain(text);
    for (const other of foldersOf(providerId === 'here' ? 'there' : 'here', id)) {
      expect(path.basename(other)).toBe(`${id}--parked`);
      expect(readFileSync(textIn(other), 'utf8')).toBe(firstText);
    }
    return `${status} on ${providerId}, ${text}`;
  });
  return told.join('; ') || 'nothing';
}

async function killedAt(name: string, diesAt: number): Promise<{ changes: string[] | undefined; cameTo: string }> {
  const deed = deeds[name];
  if (!deed) throw new Error(`There is no "${name}".`);
  const state = deed.state ?? 'ada';
  const ada = await open('ada');
  const { id } = await ada.createInstance({ name: 'web' }, 'here');
  const write = async (text: string) => {
    const [folder = ''] = foldersOf('here', id);
    writeFileSync(textIn(folder), text);
  };
  await write(firstText);
  const told = await deed.prepare(ada, id, () => write(laterText));
  await close();
  const changes = await killedWindow(state, name, told, diesAt);
  const next = await open(state);
  const settled = async () => {
    await next.refresh();
    await next.snapshots.settle();
    const cameTo = whole(next);
    const manifests = path.join(scratch, state, 'homes', 'manifests');
    const kept = existsSync(manifests) ? readdirSync(manifests).map(file => path.basename(file, '.gz')) : [];
    const listed = next.snapshots.listSnapshots().map(snapshot => snapshot.id);
    expect(kept.toSorted()).toEqual(listed.toSorted());
    return `${cameTo}; ${kept.length} kept`;
  };
  return { changes, cameTo: await vi.waitFor(settled, { timeout: 60_000, interval: 500 }) };
}

// Some seconds for each change of each operation: in the long form (REMOTE_SWARM_SOAK=1) only.
describe('kill -9 right before a change leaves a whole world', () => {
  beforeAll(() => installEditorServer(path.join(root, '.runtime', 'editor-server')));
  afterAll(() => console.log(['operation | boundary | came to', ...rows].join('\n')));
  beforeEach(() => {
    windows = [];
    scratch = mkdtempSync(path.join(tmpdir(), 'remote-swarm-killed-'));
  });
  afterEach(async () => {
    await clear();
    rmSync(scratch, { recursive: true, force: true });
  });

  test.each(Object.keys(deeds))(
    '%s',
    async name => {
      for (let diesAt = 1; ; diesAt += 1) {
        const { changes, cameTo } = await killedAt(name, diesAt);
        await clear();
        rows.push(`${name} | ${changes ? 'none' : diesAt} | ${cameTo}`);
        if (changes) break;
      }
    },
    3_600_000,
  );
});
