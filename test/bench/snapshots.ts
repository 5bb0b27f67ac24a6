import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { StreamKeeper } from '../../src/core/snapshots/homeKeeper.ts';
import { quietContext } from '../../src/model/operationContext.ts';
import { FileHomeArchive } from '../../src/storage/fileHomeArchive.ts';
import { FolderProvider } from '../contract/folderProvider.ts';
import type { Figure } from './figure.ts';

const fileBytes = 100_000;
const megabyte = 1_000_000;
const changedShare = 0.01;

/** A snapshot of a home of random files on this machine, and a second one after each hundredth file was written anew. */
export async function measureSnapshots(megabytes: number): Promise<Figure[]> {
  const directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-bench-'));
  try {
    const provider = new FolderProvider(directory);
    const keeper = new StreamKeeper(new FileHomeArchive(path.join(directory, 'archive')));
    const home = path.join('instance', 'home');
    // What is remembered of a home lies beside it.
    for (const folder of [home, path.join('instance', 'reserved')])
      mkdirSync(path.join(directory, folder), { recursive: true });
    const files = (megabytes * megabyte) / fileBytes;
    const write = (file: number) => writeFileSync(path.join(directory, home, `${file}`), randomBytes(fileBytes));
    const keep = async (id: string, base?: string) => {
      const began = performance.now();
      const { added } = await keeper.keep(provider, home, { id, base }, quietContext);
      return { added: added / megabyte, seconds: (performance.now() - began) / 1_000 };
    };
    for (let file = 0; file < files; file++) write(file);
    const first = await keep('first');
    for (let file = 0; file < files; file += 1 / changedShare) write(file);
    const second = await keep('second', 'first');
    const what = `second snapshot of ${megabytes} MB after ${changedShare * 100} % changed`;
    return [
      {
        ...{ name: `${what}, size`, value: second.added, unit: 'MB', better: 'lower' },
        against: `the first one: ${first.added.toFixed(0)} MB; files of ${fileBytes / 1_000} KB that do not shrink`,
      },
      {
        ...{ name: `${what}, time`, value: second.seconds, unit: 's', better: 'lower' },
        against: `the first one: ${first.seconds.toFixed(1)} s`,
      },
    ];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
