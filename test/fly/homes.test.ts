import * as path from 'node:path';
import { describe } from 'vitest';
import { appName } from '../../src/providers/fly/instanceMachine.ts';
import { describeHomeContract } from '../contract/homeContract.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { notHere } from '../fakes/notHere.ts';
import { machineProblem } from './support/flyCloud.ts';
import { openFlyScene } from './support/flyScene.ts';

describe.skipIf(machineProblem() !== undefined)(notHere('Fly.io, as its stand-in is', machineProblem()), () => {
  describeHomeContract('the Fly provider', async () => {
    const scene = await openFlyScene();
    const provider = scene.makeProvider();
    await provider.initialize();
    const swarmId = testSwarmId();
    return {
      provider,
      make: async () => {
        const spec = newSpec(swarmId);
        const { id } = spec.identity;
        await provider.abilities.prepareIncoming(spec);
        // Its machine makes the home when it is started for the first time.
        const look = await provider.abilities.openHome?.(id, 'digest');
        await look?.end();
        const [volume] = scene.cloud.app(appName(id)).volumes.values();
        return { id, home: path.join(volume?.folder ?? '', 'home') };
      },
      close: () => scene.close(),
    };
  });
});
