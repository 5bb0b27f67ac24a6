import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { describe } from 'vitest';
import { DockerProvider } from '../../src/providers/docker/dockerProvider.ts';
import { GuardedProvider } from '../../src/providers/guardedProvider.ts';
import { localProvider } from '../crash/twoFolders.ts';
import { startEngine } from '../engine/support/engine.ts';
import { ensureTestImage } from '../engine/support/images.ts';
import { describeWithOwnEngine } from '../engine/support/testEngine.ts';
import { type LoneProvider, loneProvider } from '../fakes/loneProvider.ts';
import { notHere } from '../fakes/notHere.ts';
import { testMachine } from '../fakes/testMachine.ts';
import { sshHostProblem } from '../ssh/support/sshHost.ts';
import { prepareForSsh, sshProvider, startPreparedHost, useSsh } from '../ssh/support/sshProviders.ts';
import { FolderProvider } from './folderProvider.ts';
import { describeHomeContract } from './homeContract.ts';
import { newSpec, randomId, testSwarmId } from './specs.ts';

/** Answers with the id of a copy that has only an empty home. */
async function incomingOn(provider: LoneProvider, swarmId: string): Promise<string> {
  const spec = newSpec(swarmId);
  await provider.abilities.prepareIncoming(spec);
  return spec.identity.id;
}

describeHomeContract('folders behind the in-memory provider', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'remote-swarm-homes-'));
  return {
    provider: new FolderProvider(folder),
    make: async () => {
      const id = randomId(12);
      await mkdir(path.join(folder, id));
      return { id, home: path.join(folder, id) };
    },
    close: async () => void execFileSync('rm', ['-rf', folder]),
  };
});

describeHomeContract('the local provider', async () => {
  const scratch = mkdtempSync(path.join(tmpdir(), 'remote-swarm-homes-'));
  const provider = await localProvider(scratch, 'here');
  await provider.initialize();
  const swarmId = testSwarmId();
  return {
    provider,
    make: async () => {
      const id = await incomingOn(provider, swarmId);
      return { id, home: path.join(scratch, 'here', `${id}--incoming`, 'home') };
    },
    close: async () => void execFileSync('rm', ['-rf', scratch]),
  };
});

const sshProblem = sshHostProblem();

describe.skipIf(sshProblem !== undefined)(notHere('ssh', sshProblem), () => {
  describeHomeContract('the ssh provider', async () => {
    await prepareForSsh();
    const host = await startPreparedHost('homes');
    const restorePath = useSsh(host.path);
    const provider = sshProvider(host);
    await provider.initialize();
    const swarmId = testSwarmId();
    return {
      provider,
      make: async () => {
        const id = await incomingOn(provider, swarmId);
        return { id, home: path.join(host.home, '.remote-swarm', 'instances', `${id}--incoming`, 'home') };
      },
      close: async () => {
        await provider.dispose();
        restorePath();
        await host.stop();
      },
    };
  });
});

// Of its own, since homes are looked at where the engine keeps them.
describeWithOwnEngine('Docker', () => {
  describeHomeContract('the Docker provider', async () => {
    const { host, docker, stop } = await startEngine({ name: 'homes' });
    const image = await ensureTestImage(docker, 'stub');
    const guarded = new GuardedProvider(
      new DockerProvider(
        { id: 'docker', type: 'docker', endpoint: host, image },
        {
          ...{ localDirectory: '/nonexistent', editorServerDirectory: '/nonexistent' },
          launcher: path.resolve(import.meta.dirname, '../../media/instance/launcher.mjs'),
          machine: testMachine,
          readSecret: async () => undefined,
        },
      ),
    );
    const provider = loneProvider(guarded);
    await provider.initialize();
    const swarmId = testSwarmId();
    return {
      provider,
      make: async () => {
        const id = await incomingOn(provider, swarmId);
        const { Mountpoint } = await docker.getVolume(`remote-swarm-${id}`).inspect();
        return { id, home: path.join(Mountpoint, 'home') };
      },
      close: stop,
    };
  });
});
