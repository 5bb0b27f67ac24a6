import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { globSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { buildExtension } from '../../scripts/build.ts';
import { StreamCarrier } from '../../src/core/migration/homeCarrier.ts';
import { ProviderDirectory } from '../../src/core/providerDirectory.ts';
import { defaultHealthConfig } from '../../src/model/config.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { diskController } from '../crash/diskController.ts';
import { localProvider } from '../crash/twoFolders.ts';
import { loneContext } from '../fakes/loneProvider.ts';
import { type CountedSsh, countSsh, nextRound } from '../ssh/support/countedSsh.ts';
import { type SshHost, startSshHost } from '../ssh/support/sshHost.ts';
import { prepareForSsh, sshProvider } from '../ssh/support/sshProviders.ts';
import { type Figure, median } from './figure.ts';

const rounds = 5;
const copies = 3;
const files = 100;
const bytesInFile = 10_000_000;

/** What a health round asks of a host, and how fast homes come there against `tar | ssh tar`, in turn. */
export async function measureSsh(instances: number): Promise<Figure[]> {
  await buildExtension(true);
  await prepareForSsh();
  const host = await startSshHost('bench');
  const scratch = await mkdtemp(path.join(tmpdir(), 'remote-swarm-bench-'));
  const ssh = countSsh(host, scratch);
  try {
    return [await measureRound(host, ssh, scratch, instances), await measureCopy(host, scratch)];
  } finally {
    ssh.restorePath();
    await host.stop();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function measureRound(host: SshHost, ssh: CountedSsh, scratch: string, instances: number): Promise<Figure> {
  const provider = sshProvider(host);
  await provider.initialize();
  const directory = new ProviderDirectory([provider]);
  const controller = await diskController(path.join(scratch, 'state'), directory, undefined, {
    ...defaultHealthConfig,
    ...{ checkInterval: 5, resourceInterval: 86_400 },
  });
  try {
    await controller.initialize();
    for (let index = 0; index < instances; index++) await controller.createInstance({ name: `${index}` }, provider.id);
    // The first one measures CPU and memory too.
    for (let round = 0; round < 3; round++) await nextRound(controller, instances);
    ssh.taken();
    for (let round = 0; round < rounds; round++) await nextRound(controller, instances);
    const made = ssh.taken();
    const unwell = controller.health.list().filter(({ status }) => status !== 'healthy');
    if (unwell.length > 0) throw new Error(`${unwell.length} were not seen healthy: ${unwell[0]?.reason}`);
    return {
      name: `ssh commands in a health round of ${instances} instances`,
      ...{ value: made / rounds, unit: '', goal: 1, better: 'lower' },
    };
  } finally {
    await controller.dispose();
  }
}

async function measureCopy(host: SshHost, scratch: string): Promise<Figure> {
  const [here, there] = [await localProvider(scratch, 'local'), sshProvider(host)];
  await Promise.all([here.initialize(), there.initialize()]);
  const rates: number[] = [];
  for (let copy = 0; copy < copies; copy++) {
    const spec = newSpec(testSwarmId());
    const { id } = spec.identity;
    await here.abilities.prepareIncoming(spec);
    await there.abilities.prepareIncoming(spec);
    const [home = ''] = globSync(path.join(scratch, 'local', `${id}--*`, 'home'));
    for (let file = 0; file < files; file++) writeFileSync(path.join(home, `${file}`), randomBytes(bytesInFile));
    const own = await timeOf(() => new StreamCarrier().copy(here, there, id, loneContext));
    const receive = 'mkdir tar && tar -C tar -xf - && sync -f tar';
    const bare = await timeOf(async () =>
      execFileSync('sh', ['-c', `tar -C '${home}' -cf - . | ssh ${host.name} '${receive}'`]),
    );
    rates.push(bare / own);
    host.run('rm', '-rf', `${host.homeThere}/tar`);
    await Promise.all([here.deleteInstance(id), there.deleteInstance(id)]);
  }
  await Promise.all([here.dispose(), there.dispose()]);
  return {
    name: `${(files * bytesInFile) / 1e6} MB to an ssh host, to tar | ssh tar`,
    ...{
      value: median(rates),
      unit: '×',
      goal: 0.8,
      better: 'higher',
      against: rates.map(rate => rate.toFixed(2)).join(', '),
    },
  };
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
