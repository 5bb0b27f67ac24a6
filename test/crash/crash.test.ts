import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { quietContext } from '../../src/model/operationContext.ts';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';

const root = path.resolve(import.meta.dirname, '..', '..');
let directory: string;

interface Ended {
  signal: NodeJS.Signals | null;
  rows: { id: string; status: string; desired: string }[];
}

/** One window's life: what it printed, or the signal that ended it. */
function window(killAt: number, act: string, id = ''): Promise<Ended> {
  const args = [path.join(root, 'test', 'crash', 'window.ts'), directory, String(killAt), act, id];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  child.stdout.on('data', data => {
    output += data;
  });
  child.stderr.on('data', data => {
    errors += data;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code !== 0 && signal === null) reject(new Error(`The window ended with ${code}: ${errors}`));
      else resolve({ signal, rows: [], ...JSON.parse(output || '{}') });
    });
  });
}

/** What the machine itself says: folders below the provider's directory, and servers that run out of it. */
function world() {
  const instances = path.join(directory, 'instances');
  const folders = (existsSync(instances) ? readdirSync(instances) : []).map(name =>
    name.replace(/^[a-z0-9]{12}/, 'id'),
  );
  const servers = readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => {
      try {
        const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return argv.includes('serve') && argv.some(arg => arg.startsWith(instances));
      } catch {
        return false;
      }
    });
  return { folders, servers: servers.length };
}

const nothing = { rows: [], folders: [], servers: 0 };

/** Leaves the directory as a first start finds it: without a lock that a killed window held, too. */
async function removeAll(): Promise<void> {
  for (const { id } of (await window(0, 'settle')).rows) await window(0, 'purge', id);
  expect({ rows: [], ...world() }).toEqual(nothing);
  for (const name of readdirSync(directory)) rmSync(path.join(directory, name), { recursive: true });
}

beforeAll(async () => {
  await installEditorServer(path.join(root, '.runtime', 'editor-server'), quietContext);
});
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'crash-'));
});
afterEach(async () => {
  await removeAll();
  rmSync(directory, { recursive: true, force: true });
});

describe.runIf(process.platform === 'linux')('kill -9 at every boundary, then a restart', () => {
  test.each([
    ['create', { rows: ['running'], folders: ['id--owner'], servers: 1 }],
    ['delete', { rows: ['trashed'], folders: ['id--trash'], servers: 0 }],
    ['purge', { rows: [], folders: [], servers: 0 }],
  ] as const)(
    '%s: registry and machine agree, nothing is doubled',
    async (act, finished) => {
      const existing = async () => (act === 'create' ? '' : ((await window(0, 'create')).rows[0]?.id ?? ''));
      const untouched = act === 'create' ? nothing : { rows: ['running'], folders: ['id--owner'], servers: 1 };
      let killAt = 1;
      // Until the act comes to its end: how often a call reports is its own affair.
      for (; ; killAt++) {
        const { signal } = await window(killAt, act, await existing());
        if (signal === null) break;
        expect(signal).toBe('SIGKILL');
        const rows = (await window(0, 'settle')).rows.map(({ status }) => status);
        // Killed before its first write, the act was never asked for; after it, it is finished.
        expect({ killAt, rows, ...world() }).toEqual({ killAt, ...(killAt === 1 ? untouched : finished) });
        await removeAll();
      }
      expect(killAt).toBeGreaterThan(5);
      console.log(`${act}: killed at each of ${killAt - 1} boundaries`);
    },
    600_000,
  );
});
