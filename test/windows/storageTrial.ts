// Run by Node on Windows: several windows over one state directory, and all that `src/storage` replaces, moves and
// removes. Prints one line of JSON for each part: what it is, whether it went well, and how long it took.
import * as assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { crc32 } from 'node:zlib';
import { quietContext } from '../../src/model/operationContext.ts';
import { FileAppendLog } from '../../src/storage/appendLog.ts';
import { FileHomeArchive } from '../../src/storage/fileHomeArchive.ts';
import { FileLock } from '../../src/storage/fileLock.ts';
import { FileStateClaim, readClaim } from '../../src/storage/fileStateClaim.ts';
import { frameOf } from '../../src/storage/homeFrames.ts';
import { JsonFileStore } from '../../src/storage/jsonFileStore.ts';
import { LeaderLease } from '../../src/storage/leaderLease.ts';
import { loadSwarmId } from '../../src/storage/swarmIdentity.ts';
import { readMachine } from '../../src/storage/thisMachine.ts';
import { Counter, increment } from '../unit/storage/counter.ts';

const rounds = Number(process.argv[2] ?? 40);
const windows = 3;
const script = (name: string) => path.join(import.meta.dirname, '..', 'unit', 'storage', name);

/** Another window; rejects with what it says when it fails. */
async function otherWindow(name: string, ...args: string[]): Promise<void> {
  const child = spawn(process.execPath, ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON', script(name), ...args]);
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  const [code] = await once(child, 'close');
  assert.equal(code, 0, said);
}

/** A home of one file, as its program exports it. */
async function* home(content: string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(content);
  yield frameOf('E', {
    ...{ path: 'file', type: 'f', mode: 0o644, mtime: '1', size: bytes.length },
    ...{ own: null, target: '', sha: '' },
  });
  yield frameOf('D', bytes);
  yield frameOf('F', { sum: crc32(bytes) });
  yield frameOf('X', { bytes: bytes.length, files: 1, skipped: { count: 0, names: [] } });
}

const parts: Readonly<Record<string, (directory: string) => Promise<void>>> = {
  'records that several windows count up while another reads them': async directory => {
    const store = new JsonFileStore(directory, Counter, 1);
    const all = Array.from({ length: windows }, () =>
      otherWindow('countingWindow.ts', directory, 'aaaa,bbbb', `${rounds}`),
    );
    let ended = false;
    const watch = store.watch(() => {});
    const reading = (async () => {
      while (!ended) {
        const { quarantined, unread } = await store.load();
        assert.deepEqual([quarantined, unread], [[], []]);
      }
    })();
    try {
      await Promise.all(all);
    } finally {
      ended = true;
      watch.dispose();
    }
    await reading;
    for (const id of ['aaaa', 'bbbb']) assert.equal((await store.read(id))?.count, windows * rounds);
  },
  'a record that is written while another program has its file open': async directory => {
    const store = new JsonFileStore(directory, Counter, 1);
    for (let round = 0; round < rounds; round++) {
      await store.update('aaaa', increment('aaaa'));
      const reader = fs.openSync(store.fileOf('aaaa'), 'r');
      setTimeout(() => fs.closeSync(reader), 20);
      await store.update('aaaa', increment('aaaa'));
    }
    await store.update('aaaa', () => null);
    assert.equal(await store.read('aaaa'), null);
  },
  'a lock that is taken again and again': async directory => {
    const locks = Array.from({ length: windows }, () => new FileLock(directory));
    let inside = 0;
    const turn = (lock: FileLock) =>
      lock.run('key', quietContext, async ({ lock: held }) => {
        inside += 1;
        assert.equal(inside, 1);
        held.assertHeld();
        await new Promise(resolve => setTimeout(resolve, 1));
        inside -= 1;
      });
    await Promise.all(
      locks.map(async lock => {
        for (let round = 0; round < rounds; round++) await turn(lock);
      }),
    );
    assert.deepEqual(fs.readdirSync(directory), []);
  },
  'a torn record is put aside': async directory => {
    const store = new JsonFileStore(directory, Counter, 1);
    fs.writeFileSync(store.fileOf('aaaa'), '{');
    const { quarantined } = await store.load();
    assert.equal(quarantined.length, 1);
    assert.equal(fs.readdirSync(path.join(directory, 'quarantine')).length, 1);
  },
  'one identity for windows that start together': async directory => {
    const all = await Promise.all(Array.from({ length: 6 }, () => loadSwarmId(directory)));
    assert.equal(new Set(all.map(({ swarmId }) => swarmId)).size, 1);
  },
  'a claim of the machine, and what the machine is': async directory => {
    const machine = await readMachine();
    assert.notEqual(machine.id, '');
    assert.notEqual(machine.host, '');
    const claim = new FileStateClaim(directory, machine);
    assert.equal(claim.hindrance, undefined);
    assert.equal(readClaim(directory)?.machine.id, machine.id);
    claim.dispose();
  },
  'one observer': async directory => {
    const leases = Array.from({ length: windows }, () => new LeaderLease(directory));
    for (const lease of leases) lease.start();
    await new Promise(resolve => setTimeout(resolve, 500));
    assert.equal(leases.filter(lease => lease.isHeld()).length, 1);
    for (const lease of leases) lease.dispose();
  },
  'lines of the audit log': async directory => {
    const log = new FileAppendLog(directory, 'host-1');
    for (let round = 0; round < rounds; round++) await log.append(`line ${round}`);
    const [name = ''] = fs.readdirSync(directory);
    assert.equal(fs.readFileSync(path.join(directory, name), 'utf8').trim().split('\n').length, rounds);
  },
  'snapshots that are kept, read and let go': async directory => {
    const archive = new FileHomeArchive(directory, 0);
    await archive.save('one', undefined, home('content'));
    await archive.save('two', 'one', home('content'));
    await archive.forget(['one']);
    const nothing = async function* () {
      yield Buffer.from(`${JSON.stringify({ digest: '' })}\n`);
    };
    const chunks: Uint8Array[] = [];
    for await (const chunk of archive.load('two', nothing())) chunks.push(chunk);
    assert.match(Buffer.concat(chunks).toString(), /content/);
    await archive.forget(['two']);
    const left = fs.readdirSync(path.join(directory, 'blobs'), { recursive: true }).map(String);
    assert.deepEqual(
      left.filter(name => name.endsWith('.gz')),
      [],
    );
  },
};

for (const [what, part] of Object.entries(parts)) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'remote-swarm-ü Büro [1]-'));
  const begun = performance.now();
  const problem = await part(directory).then(
    () => undefined,
    (error: Error) => error.stack ?? String(error),
  );
  const milliseconds = Math.round(performance.now() - begun);
  console.log(JSON.stringify({ what, milliseconds, ...(problem !== undefined && { problem }) }));
  fs.rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}
console.log(JSON.stringify({ what: 'all' }));
