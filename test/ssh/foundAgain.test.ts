import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { diskController } from '../crash/diskController.ts';
import { sshHostProblem } from './support/sshHost.ts';
import { prepareForSsh, sshProvider, startPreparedHost, useSsh } from './support/sshProviders.ts';

const problem = sshHostProblem();
const count = 8;

describe.skipIf(problem !== undefined)(`a state that was removed${problem ? ` (not here: ${problem})` : ''}`, () => {
  test('is found again on the host, with one command for all instances', async () => {
    await prepareForSsh();
    const host = await startPreparedHost('found');
    const scratch = await mkdtemp(path.join(tmpdir(), 'remote-swarm-found-'));
    const calls = path.join(scratch, 'calls');
    const script = `#!/bin/sh\necho call >> '${calls}'\nexec '${host.path}/ssh' "$@"\n`;
    writeFileSync(path.join(scratch, 'ssh'), script, { mode: 0o755 });
    const restorePath = useSsh(scratch);
    const state = path.join(scratch, 'state');
    /** A window; its monitor rests, so that what is asked of the host is asked to find them. */
    const open = async () => {
      const provider = sshProvider(host);
      const swarm = await diskController(state, new ProviderDirectory([provider]), undefined, { enabled: false });
      await swarm.initialize();
      return swarm;
    };
    try {
      const first = await open();
      await first.refresh();
      for (let index = 0; index < count; index++) {
        await first.createInstance({ name: `instance ${index}`, metadata: { place: `${index}` } }, host.name);
      }
      const lasting = (swarm: typeof first) =>
        swarm
          .listInstances()
          .map(({ id, config, role, status, createdAt }) => ({ id, config, role, status, createdAt }))
          .sort((a, b) => (a.id < b.id ? -1 : 1));
      const before = lasting(first);
      await first.dispose();
      const swarmFile = await readFile(path.join(state, 'swarm.json'));
      await rm(state, { recursive: true });
      await mkdir(state);
      await writeFile(path.join(state, 'swarm.json'), swarmFile);
      writeFileSync(calls, '');
      const again = await open();
      await vi.waitFor(() => expect(again.listInstances()).toHaveLength(count), 60_000);
      const made = readFileSync(calls, 'utf8').split('\n').length - 1;
      console.log(`${count} instances were found again with ${made} calls of ssh, the connection among them`);
      // None of them was asked for by itself.
      expect(made).toBeLessThan(count);
      expect(lasting(again)).toEqual(before);
      for (const { id } of again.listInstances()) await again.purgeInstance(id);
      await again.dispose();
    } finally {
      restorePath();
      await host.stop();
      await rm(scratch, { recursive: true, force: true });
    }
  });
});
