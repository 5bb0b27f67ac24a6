import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { engineProblem } from '../engine/support/engine.ts';
import { expectSameHome, homeWalk } from '../engine/support/homeWalk.ts';
import { notHere } from '../fakes/notHere.ts';
import { sshHostProblem } from './support/sshHost.ts';
import { SshMoves } from './support/sshMoves.ts';

const problem = sshHostProblem() ?? engineProblem();
/** Of 1,000 bytes each, in the long form (REMOTE_SWARM_SOAK=1) and in the short one. */
const fileCount = process.env.REMOTE_SWARM_SOAK === '1' ? 10_000 : 2_000;
const strategies = ['stop-and-recreate', 'create-then-stop'] as const;

describe.skipIf(problem !== undefined)(notHere('moves over ssh', problem), () => {
  const scratch = mkdtempSync(path.join(tmpdir(), 'remote-swarm-ssh-moves-'));
  let world: SshMoves;

  beforeAll(async () => {
    world = await SshMoves.open(scratch);
  });
  afterAll(async () => {
    await world?.close();
    rmSync(scratch, { recursive: true, force: true });
  });

  test(`keep ${fileCount} files, to a host and away from it, whatever the other end is`, async () => {
    const { controller } = world;
    const { id } = await controller.createInstance({ name: 'traveller' }, 'local');
    const files = world.workspace('local', id);
    for (let file = 0; file < fileCount; file++) {
      const folder = path.join(files, `${file % 100}`);
      if (file < 100) mkdirSync(folder);
      writeFileSync(path.join(folder, `file ${file}`), randomBytes(1_000));
    }
    execFileSync('sh', ['-c', 'ln -s nowhere link; ln "1/file 1" hard; chmod 600 hard; mkdir -m 750 empty'], {
      cwd: files,
    });
    execFileSync('chown', ['-Rh', '--reference', files, files]);
    const before = homeWalk(files);
    // Between this machine and an engine they move in the suite of engines.
    const way = ['one', 'two', 'engine', 'one', 'local'];
    for (const [step, target] of way.entries()) {
      const plan = await world.move(id, target, strategies[step % 2] ?? 'stop-and-recreate');
      expect(controller.getInstance(id)).toMatchObject({ providerId: target, status: 'running' });
      expectSameHome(world.workspace(target, id), before);
      const { url, endpoint } = await controller.access.openInstance(id);
      expect((await fetch(url, { redirect: 'manual' })).status).toBeLessThan(400);
      endpoint.dispose();
      await controller.migrations.cleanUp(plan);
    }
    await controller.purgeInstance(id);
  }, 300_000);

  test('whose sshd is killed in the middle are taken back, and succeed when they are tried again', async () => {
    const { controller } = world;
    const { id } = await controller.createInstance({ name: 'cut' }, 'local');
    const files = world.workspace('local', id);
    for (let file = 0; file < 10; file++) writeFileSync(path.join(files, `${file}`), randomBytes(20_000_000));
    const before = homeWalk(files);
    let killed: Promise<void> | undefined;
    const ctx = {
      signal: new AbortController().signal,
      report: (message: string) => {
        if (message.startsWith('Copying the home:')) killed ??= world.host('one').killSshd();
      },
    };
    const first = await controller.migrations.createMigrationPlan(id, 'one', 'stop-and-recreate');
    const failed = await controller.migrations.startMigration(first.id, ctx);
    expect(killed, 'the copy was too quick').toBeDefined();
    await world.host('one').startSshd();
    expect(failed.status).not.toBe('completed');
    // What could not be taken back at once is, when the host is there again.
    await vi.waitFor(
      async () => {
        await controller.refresh();
        expect(controller.migrations.getMigrationStatus(first.id).status).toBe('failed');
      },
      { timeout: 60_000, interval: 500 },
    );
    expect(controller.getInstance(id)).toMatchObject({ providerId: 'local', status: 'running' });
    expectSameHome(files, before);

    const second = await world.move(id, 'one', 'stop-and-recreate');
    expectSameHome(world.workspace('one', id), before);
    await controller.migrations.cleanUp(second);
  });
});
