import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import { StreamKeeper } from '../../src/core/snapshots/homeKeeper.ts';
import { quietContext } from '../../src/model/operationContext.ts';
import { spawnHome } from '../../src/providers/spawnHome.ts';
import { FileHomeArchive } from '../../src/storage/fileHomeArchive.ts';
import { loneContext } from '../fakes/loneProvider.ts';
import { FolderProvider } from './folderProvider.ts';
import { fillHome, homeDigest } from './tools.ts';

describe('homes in the archive', () => {
  let folder: string;
  let provider: FolderProvider;
  let keeper: StreamKeeper;
  const at = (...names: string[]) => path.join(folder, ...names);
  const archive = () => at('archive');

  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'remote-swarm-archive-'));
    for (const name of ['one', 'other']) mkdirSync(at(name));
    provider = new FolderProvider(folder);
    keeper = new StreamKeeper(new FileHomeArchive(archive()));
  });
  afterEach(() => {
    execFileSync('chmod', ['-R', 'u+rwX', folder]);
    rmSync(folder, { recursive: true, force: true });
  });

  const sh = (home: string, command: string) =>
    execFileSync('/bin/sh', ['-c', command], {
      cwd: at(home),
      env: { PATH: process.env.PATH, HOME: at(home) },
    }).toString();
  const keep = (id: string, base?: string, home = 'one') => keeper.keep(provider, home, { id, base }, quietContext);
  const bringBack = (id: string, home = 'other') => keeper.bringBack(provider, home, id, loneContext);
  const digest = async (home: string) => (await new StreamCarrier().look(provider, home, quietContext)).digest;
  const blobs = () => {
    const folders = readdirSync(at('archive', 'blobs'));
    return folders.flatMap(name =>
      readdirSync(at('archive', 'blobs', name)).map(blob => at('archive', 'blobs', name, blob)),
    );
  };

  test('a reader that is killed in the middle has not done its work, though its output has just ended', async () => {
    const program = path.resolve(import.meta.dirname, '../../media/instance/home.mjs');
    const reader = await spawnHome('one', 'place', program, at('one'), 'export');
    await reader.end();
    await expect(reader.done).rejects.toMatchObject({ code: 'home-task-failed' });
  });

  test('what was damaged on the disk is taken in anew, and no base that is damaged is in the way', async () => {
    writeFileSync(at('one', 'file'), 'the right words '.repeat(1_000));
    await keep('first');
    for (const blob of blobs()) writeFileSync(blob, '');
    await keep('second');
    await bringBack('second');
    expect(await digest('other')).toBe(await digest('one'));
    writeFileSync(at('archive', 'manifests', 'second.gz'), 'torn');
    await keep('third', 'second');
    await bringBack('third');
    expect(await digest('other')).toBe(await digest('one'));
  });

  test('a content with one wrong bit is taken in anew, though the home has it still, and all that need it are whole', async () => {
    for (const [index, base] of [undefined, 'before'].entries()) {
      writeFileSync(at('one', 'file'), `the right words ${index} `.repeat(1_000));
      await keep(`before${index}`);
      for (const blob of blobs()) {
        const bytes = readFileSync(blob);
        const middle = Math.floor(bytes.length / 2);
        bytes[middle] = (bytes[middle] ?? 0) ^ 1;
        writeFileSync(blob, bytes);
      }
      await keep(`after${index}`, base && `${base}${index}`);
      for (const id of [`after${index}`, `before${index}`]) {
        await bringBack(id);
        expect(await digest('other')).toBe(await digest('one'));
      }
    }
  });

  test('a home with everything in it comes back as it was, into an empty folder and over another home', async () => {
    sh('one', fillHome);
    const before = sh('one', homeDigest);
    const kept = await keep('first');
    expect(kept.digest).toBe(await digest('one'));
    await bringBack('first');
    expect(await digest('other')).toBe(kept.digest);
    expect(sh('other', homeDigest)).toBe(before);

    sh('one', 'rm -rf * 2>/dev/null; mkdir -p new/deep; echo x >new/deep/file; echo other >file');
    await bringBack('first', 'one');
    expect(await digest('one')).toBe(kept.digest);
    expect(sh('one', homeDigest)).toBe(before);
  });

  // Elsewhere all of it is read.
  const tellsHoles = [0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630].includes(statfsSync(tmpdir()).type);

  test.skipIf(!tellsHoles)(
    'a large file costs what it holds, in the archive too, and one wrong bit of it is noticed',
    async () => {
      sh('one', 'truncate -s 1T disk && truncate -s 2G empty');
      for (const [place, text] of [
        ['77', 'begin'],
        ['700000000000', 'middle'],
      ])
        sh('one', `printf ${text} | dd of=disk bs=1 seek=${place} conv=notrunc status=none`);
      sh('one', 'printf end >>disk; touch -d @1000000000 disk empty');
      const { added } = await keep('first');
      expect(added).toBeLessThan(10_000);
      await bringBack('first');
      expect(await digest('other')).toBe(await digest('one'));
      expect(Number(sh('other', 'stat -c %b disk')) * 512).toBeLessThan(1_000_000);
      expect(sh('other', 'tail -c 3 disk; tail -c +700000000001 disk | head -c 6')).toBe('endmiddle');
      sh('one', 'printf B | dd of=disk bs=1 seek=77 conv=notrunc status=none');
      expect((await keep('second', 'first')).added).toBeLessThan(10_000);
      await bringBack('second');
      expect(sh('other', 'tail -c +78 disk | head -c 5')).toBe('Begin');
      await keeper.forget(['first']);
      expect(blobs()).toHaveLength(2);
      for (const blob of blobs()) {
        const bytes = readFileSync(blob);
        bytes.writeUInt8((bytes.at(-12) ?? 0) ^ 1, bytes.length - 12);
        writeFileSync(blob, bytes);
      }
      sh('other', 'rm disk empty');
      await expect(bringBack('second')).rejects.toMatchObject({ code: 'snapshot-damaged' });
    },
  );

  test('a second snapshot costs what has changed, and both come back', async () => {
    for (let index = 0; index < 200; index += 1) writeFileSync(at('one', `file-${index}`), randomBytes(20_000));
    const first = await keep('first');
    appendFileSync(at('one', 'file-7'), 'more');
    rmSync(at('one', 'file-8'));
    const second = await keep('second', 'first');
    console.log(`first snapshot: ${first.added} bytes of ${first.bytes}; second: ${second.added}`);
    expect(second.added).toBeLessThan(first.added / 10);
    expect(second.digest).toBe(await digest('one'));
    for (const { id, digest: wanted } of [
      { id: 'first', digest: first.digest },
      { id: 'second', digest: second.digest },
    ]) {
      await bringBack(id);
      expect(await digest('other')).toBe(wanted);
    }
  });

  test('what only a forgotten snapshot needed goes, and the rest still comes back', async () => {
    writeFileSync(at('one', 'same'), 'same');
    writeFileSync(at('one', 'old'), 'old');
    await keep('first');
    rmSync(at('one', 'old'));
    const second = await keep('second', 'first');
    expect(blobs()).toHaveLength(2);
    await keeper.forget(['first']);
    expect(blobs()).toHaveLength(1);
    await bringBack('second');
    expect(await digest('other')).toBe(second.digest);
    await expect(bringBack('first')).rejects.toMatchObject({ code: 'snapshot-damaged' });
  });

  test('a damaged snapshot keeps no other one from being forgotten, and costs none its contents', async () => {
    writeFileSync(at('one', 'file'), 'one');
    await keep('first');
    writeFileSync(at('one', 'file'), 'other');
    const second = await keep('second', 'first');
    await keep('third', 'second');
    writeFileSync(at('archive', 'manifests', 'first.gz'), 'torn');
    await keeper.forget(['third']);
    await bringBack('second');
    expect(await digest('other')).toBe(second.digest);
    await keeper.forget(['first']);
    expect(blobs()).toHaveLength(1);
    await bringBack('second', 'one');
  });

  test('where nothing is kept any more, there is nothing that could not be forgotten', async () => {
    await keep('first');
    rmSync(archive(), { recursive: true });
    await keeper.forget(['first']);
    await keep('second');
    await bringBack('second');
  });

  test('a snapshot for which there is no room leaves nothing behind', async () => {
    const wanting = new FileHomeArchive(at('archive'), Number.MAX_SAFE_INTEGER);
    writeFileSync(at('one', 'file'), 'one');
    const kept = new StreamKeeper(wanting).keep(provider, 'one', { id: 'first', base: undefined }, quietContext);
    await expect(kept).rejects.toMatchObject({ code: 'no-room-for-snapshot' });
    expect({ blobs: blobs(), incoming: readdirSync(at('archive', 'incoming')) }).toEqual({ blobs: [], incoming: [] });
  });

  test('damage on the disk of the archive is noticed', async () => {
    writeFileSync(at('one', 'file'), 'the right words '.repeat(1_000));
    await keep('first');
    const [blob = ''] = blobs();
    writeFileSync(blob, '');
    await expect(bringBack('first')).rejects.toMatchObject({ code: 'snapshot-damaged' });
  });
});
