import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { appName } from '../../src/providers/fly/instanceMachine.ts';
import { metadataOf, secretName } from '../../src/providers/fly/machineConfig.ts';
import { loadSwarmId } from '../../src/storage/swarmIdentity.ts';
import { openFlyScene, organization } from '../fly/support/flyScene.ts';
import type { Figure } from './figure.ts';
import { median } from './figure.ts';
import { measureRounds, recordOf, rounds } from './healthRound.ts';

/**
 * Rounds of the health monitor over machines of the stand-in of Fly.io, behind which nothing runs: they are listed and
 * judged as instances are, and what would be probed answers.
 */
export async function measureFlyRound(count: number): Promise<Figure[]> {
  const scene = await openFlyScene({ hollow: true, listLag: 0 });
  const directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-bench-'));
  try {
    const { swarmId } = await loadSwarmId(directory);
    await mkdir(path.join(directory, 'instances'), { recursive: true });
    const ids = Array.from({ length: count }, (_, index) => index.toString(36).padStart(12, '0'));
    for (const id of ids) {
      const record = { ...recordOf(id, swarmId), providerId: 'fly' };
      const { config, owner, epoch, createdAt } = record;
      const metadata = metadataOf({ identity: { id, swarmId, owner, epoch, createdAt }, config }, 'owner', 'serve');
      const app = scene.cloud.makeApp(appName(id), organization, 'own');
      app.secrets.set(secretName.token, Buffer.from('a-token').toString('base64'));
      scene.cloud.makeMachine(app, { name: 'instance', region: 'fra', config: { image: 'editor', metadata } });
      await writeFile(path.join(directory, 'instances', `${id}.json`), JSON.stringify(record));
    }
    const provider = scene.makeProvider();
    Object.assign(provider.abilities, { probe: async () => ({ answered: true, latencyMs: 1 }) });
    scene.server.calls.length = 0;
    const own = await measureRounds(provider, directory, count);
    const lists = scene.server.calls.filter(call => call.startsWith('GET /orgs/')).length;
    const single = scene.server.calls.filter(call => call.includes(' /apps/')).length;
    const of = `health round over ${count} Fly machines`;
    return [
      { name: `${of}: wall`, value: median(own.rounds.map(({ wall }) => wall)), unit: 'ms', better: 'lower' },
      { name: `${of}: CPU`, value: median(own.rounds.map(({ cpu }) => cpu)), unit: 'ms', better: 'lower' },
      // The first look, and then one a round.
      { name: `${of}: list calls`, value: lists / (rounds + 1), unit: '', goal: 1, better: 'lower' },
      // Its token, for what it uses to be measured; it is kept from then on.
      { name: `${of}: other calls for each, once`, value: single / count, unit: '', goal: 1, better: 'lower' },
    ];
  } finally {
    await scene.close();
    await rm(directory, { recursive: true, force: true });
  }
}
