import * as path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { InstanceHealth } from '../../src/model/health.ts';
import type { Provider } from '../../src/model/provider.ts';
import { makeCertificates } from './support/certificates.ts';
import { type Engine, startEngine } from './support/engine.ts';
import { EngineInstances, guardedDocker } from './support/engineInstances.ts';
import { type Fault, type FaultRow, faultTable, suffer } from './support/healthTable.ts';
import { ensureTestImage } from './support/images.ts';
import { describeWithOwnEngine } from './support/testEngine.ts';
import { WatchedSwarm } from './support/watchedSwarm.ts';

const hour = 3_600_000;
const isLong = process.env.REMOTE_SWARM_SOAK === '1';
const rows: FaultRow[] = [];
afterAll(() => console.log(faultTable(rows)));

const untouched = {
  verdict: 'healthy',
  acts: [],
  says: /./,
  seenWithin: 10_000,
  rounds: 5,
  wellWithin: 10_000,
} as const;

/** Blocks this process's event loop, as another extension in the same host may. */
function stall(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

describeWithOwnEngine('what the monitor says and does when its own window is what fails', () => {
  let engine: Engine;
  let provider: Provider;
  let swarm: WatchedSwarm;
  let instances: EngineInstances;
  let id: string;
  let isUnharmed: () => Promise<void>;
  let stalls: NodeJS.Timeout;

  beforeAll(async () => {
    engine = await startEngine({ name: 'window' });
    instances = new EngineInstances(engine);
    const image = await ensureTestImage(engine.docker, 'stub');
    provider = await guardedDocker('engine', { endpoint: engine.host, image });
    swarm = await WatchedSwarm.open([provider]);
    id = await swarm.create({ name: 'one' }, 'engine');
    isUnharmed = await instances.mark(id);
  });

  afterAll(async () => {
    await swarm?.forget();
    await engine?.stop();
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    await isUnharmed();
  });

  const setClock = (offset: number) => {
    const now = Date.now;
    vi.spyOn(Date, 'now').mockImplementation(() => now() + offset);
  };

  const faults: Fault[] = [
    { name: 'clock set forward by an hour', ...untouched, befall: () => setClock(hour) },
    { name: 'clock set back by an hour', ...untouched, befall: () => setClock(-hour) },
    {
      ...{ name: 'event loop stalls, again and again between rounds', ...untouched },
      befall: () => {
        stalls = setInterval(() => stall(1_500), 2_000);
      },
      undo: () => clearInterval(stalls),
    },
    {
      ...{ name: 'event loop stalls in the middle of each probe', ...untouched, verdict: 'unknown' },
      befall: () => {
        const { probe } = provider.abilities;
        vi.spyOn(provider.abilities, 'probe').mockImplementation((...asked) => {
          const answer = probe(...asked);
          stall(2_500);
          return answer;
        });
      },
      undo: () => vi.restoreAllMocks(),
    },
  ];

  // Stalls between rounds are suffered in the short form, too, by instances on this computer.
  const suffered = faults.filter(({ name }) => isLong || !name.endsWith('between rounds'));
  test.each(suffered.map(fault => [fault.name, fault] as const))('%s: nothing is done', async (_, fault) => {
    const row = await suffer('window', swarm, [id], fault);
    rows.push(row);
    if (fault.verdict === 'healthy') expect(row.statuses).toEqual(['healthy']);
  });

  test('clock set forward while a server hangs: its silence is counted anew', async () => {
    const silences = (health: InstanceHealth) =>
      health.checks.find(({ name, outcome }) => name === 'connectivity' && outcome === 'failed')?.times ?? 0;
    const fault: Fault = {
      ...{ name: 'clock set forward after two failures of a hanging server', verdict: 'unhealthy', acts: ['restart'] },
      ...{ cause: 'unresponsive', seenWithin: 30_000, wellWithin: 30_000, says: /did not answer in time/ },
      before: async () => {
        const since = performance.now();
        await instances.signal(id, 'SIGSTOP');
        await swarm.until(id, since, 'silent twice', health => silences(health) === 2, 15_000);
      },
      befall: () => setClock(hour),
    };
    const row = await suffer('window', swarm, [id], fault);
    rows.push(row);
    // Two more would have sufficed without the jump; each of the three takes its time-out.
    expect(row.seen).toBeGreaterThan(3 * swarm.config.checkTimeout * 1_000);
  });
});

describeWithOwnEngine('what the monitor says and does when its credentials are refused', () => {
  let engine: Engine;
  let image: string;

  beforeAll(async () => {
    engine = await startEngine({ name: 'refuse', tls: true, netns: true });
    image = await ensureTestImage(engine.docker, 'stub');
  });

  afterAll(async () => {
    await engine?.stop();
  });

  test('wrong client certificate: nothing is done, and with the right one all is as it was', async () => {
    const { endpoint, tls } = engine.tcp ?? {};
    const { cert, key } = makeCertificates(path.join(engine.root, 'other'), engine.address);
    const right = () => guardedDocker('engine', { endpoint, tls, image });
    const first = await WatchedSwarm.open([await right()]);
    const id = await first.create({ name: 'one' }, 'engine');
    const isUnharmed = await new EngineInstances(engine).mark(id);
    await first.close();

    const refused = await guardedDocker('engine', { endpoint, tls: { ...tls, cert, key }, image });
    const second = await WatchedSwarm.open([refused], {}, first.stateDirectory);
    const fault: Fault = {
      ...{ name: 'wrong client certificate', verdict: 'unknown', acts: [], rounds: 5, seenWithin: 15_000 },
      befall: () => {},
      says: /certificate/,
    };
    const row = await suffer('credentials', second, [id], fault);
    await second.close();
    await isUnharmed();

    const third = await WatchedSwarm.open([await right()], {}, first.stateDirectory);
    const since = performance.now();
    const { at } = await third.until(id, since, 'healthy', ({ status }) => status === 'healthy', 15_000);
    expect(third.health(id).recovery.attempts).toEqual([]);
    rows.push({ ...row, well: at - since });
    await isUnharmed();
    await third.forget();
  });
});
