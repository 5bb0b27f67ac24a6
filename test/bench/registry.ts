import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { InstanceRegistry } from '../../src/core/instanceRegistry.ts';
import { InstanceRecord, type InstanceStatus } from '../../src/model/instance.ts';
import { statusTexts } from '../../src/operations/statusTexts.ts';
import { inEnglish } from '../../src/operations/translate.ts';
import { JsonFileStore } from '../../src/storage/jsonFileStore.ts';
import { rowOf } from '../../src/vscode/instanceRows.ts';
import { changesBetween, defaultChoice, treeOf } from '../../src/vscode/instanceTree.ts';
import type { Figure } from './figure.ts';
import { median } from './figure.ts';

const count = 10_000;
const statuses: readonly InstanceStatus[] = ['running', 'stopped', 'failed', 'trashed', 'unknown'];

/** Loading a registry of 10,000 files, and drawing all of its rows anew. */
export async function measureRegistry(): Promise<Figure[]> {
  const directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-bench-'));
  try {
    await writeRecords(directory);
    const heapBefore = heapInUse();
    const began = performance.now();
    const registry = new InstanceRegistry(new JsonFileStore(directory, InstanceRecord, 1), () => 5);
    await registry.load();
    const load = performance.now() - began;
    const refreshes = Array.from({ length: 15 }, () => refresh(registry));
    const heap = (heapInUse() - heapBefore) / 2 ** 20;
    const loaded = registry.getInstanceCount();
    await registry.dispose();
    if (loaded !== count) throw new Error(`Only ${loaded} of ${count} records were loaded.`);
    return [
      { name: 'registry load, 10,000 instances', value: load, unit: 'ms', goal: 1_000, better: 'lower' },
      { name: 'full tree refresh, 10,000 rows', value: median(refreshes), unit: 'ms', goal: 50, better: 'lower' },
      { name: 'heap of 10,000 instances', value: heap, unit: 'MB', goal: 150, better: 'lower' },
    ];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Milliseconds for a tree from nothing, every row of it, and what changed since the one before. */
function refresh(registry: InstanceRegistry): number {
  const facts = { found: [], providers: [], choice: defaultChoice };
  const before = treeOf({ records: [], ...facts });
  const wording = {
    t: inEnglish,
    locale: 'en',
    statusTexts: statusTexts(inEnglish),
    showProvider: true,
    canAttach: () => false,
  };
  const began = performance.now();
  const tree = treeOf({ records: registry.listInstances(), ...facts });
  for (const node of tree.nodes.values()) rowOf(node, wording);
  changesBetween(before, tree);
  return performance.now() - began;
}

async function writeRecords(directory: string): Promise<void> {
  const at = new Date().toISOString();
  for (let index = 0; index < count; index++) {
    const id = index.toString(36).padStart(12, '0');
    const status = statuses[index % statuses.length] ?? 'running';
    const record: InstanceRecord = InstanceRecord.parse({
      id,
      swarmId: 'benchbenchbench1',
      epoch: 1,
      owner: { user: 'bench', machine: 'bench' },
      createdAt: at,
      providerId: `provider-${index % 7}`,
      role: status === 'trashed' ? 'trash' : 'owner',
      config: { name: `instance ${index}`, metadata: { team: `team-${index % 50}` }, env: { NAME: 'value' } },
      status,
      schemaVersion: 1,
      revision: 1,
      desired: status === 'trashed' ? 'trashed' : 'running',
      statusSince: at,
    });
    await writeFile(path.join(directory, `${id}.json`), JSON.stringify(record, undefined, 2));
  }
}

function heapInUse(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}
