import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AuditEvent } from '../../../src/core/auditLog.ts';
import { configBeforeAgents } from '../../../src/core/changesOf.ts';
import { defaultPolicy, type Policy } from '../../../src/model/config.ts';
import { isAbort, messageOf } from '../../../src/model/errors.ts';
import { BlastRadius, DestroyBudget } from '../../../src/operations/blastRadius.ts';
import { agentOperations, catalog } from '../../../src/operations/catalog.ts';
import { type OperationCall, OperationGate } from '../../../src/operations/operationGate.ts';
import { surveyFolder } from '../../../src/storage/folderSurvey.ts';
import { contentOf, fill } from '../../fakes/memoryCarrier.ts';
import { MemoryKeeper } from '../../fakes/memoryKeeper.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';
import { MemoryStore } from '../../fakes/memoryStore.ts';
import { memorySwarm } from '../../fakes/memorySwarm.ts';
import { aims, moveOf } from './hostileMoves.ts';

const long = process.env.REMOTE_SWARM_SOAK === '1';
const sequences = long ? 2_000 : 100;
const everything: Policy = {
  ...defaultPolicy,
  agent: { read: 'allow', change: 'allow', execute: 'allow', destroy: 'allow' },
};
const minute = 60_000;

/** What the person answers to a question; `open`: nothing until the end, then yes. */
const Answer = fc.constantFrom('yes', 'no', 'open');
const Step = fc.record({
  which: fc.nat(1_000_000),
  a: fc.nat(1_000_000),
  b: fc.nat(1_000_000),
  /** How often it is done at once. */
  times: fc.constantFrom(1, 1, 1, 8),
  answer: Answer,
  /** Minutes that go by before. */
  later: fc.constantFrom(0, 0, 0, 0, 4),
});
const Sequence = fc.record({ steps: fc.array(Step, { minLength: 15, maxLength: 40 }), isAllowed: fc.boolean() });
interface StepOf {
  readonly which: number;
  readonly a: number;
  readonly b: number;
  readonly times: number;
  readonly answer: string;
  readonly later: number;
}

/** How often each was called and how that ended; over all sequences. */
const covered = new Map<string, { ok: number; refused: number }>();
const aimed = new Map<string, number>();
let asked = 0;
let worstTurn = { milliseconds: 0, during: '' };

let storage = '';
let folder = '';
beforeAll(() => {
  const scratch = mkdtempSync(path.join(tmpdir(), 'hostile-'));
  storage = path.join(scratch, 'storage');
  folder = path.join(scratch, 'work');
  mkdirSync(path.join(storage, 'reserved'), { recursive: true });
  mkdirSync(folder);
  writeFileSync(path.join(storage, 'reserved', 'environment.json'), '{"TOKEN":"hunter2-file"}');
});
afterAll(() => rmSync(path.dirname(storage), { recursive: true, force: true }));

async function play({ steps, isAllowed }: { readonly steps: readonly StepOf[]; readonly isAllowed: boolean }) {
  const here = new MemoryProvider(new MemoryPlace(), { id: 'here' });
  const there = new MemoryProvider(new MemoryPlace(), { id: 'there' });
  const keeper = new MemoryKeeper();
  const surveyed: string[] = [];
  const { controller, vault } = memorySwarm({
    providers: [here, there],
    defaultProviderType: 'here',
    homeKeeper: keeper,
    gitCredential: 'hunter2-git-credential',
    surveyFolder: async (wanted, signal) => {
      const found = await surveyFolder(wanted, [storage], signal);
      surveyed.push(found.path);
      return found;
    },
  });
  await controller.initialize();
  await controller.refresh();
  const events: AuditEvent[] = [];
  const said: unknown[] = [];
  let uptime = 0;
  const gate = new OperationGate(
    controller,
    { append: async event => void events.push(structuredClone(event)) },
    new BlastRadius(new MemoryStore(DestroyBudget), () => uptime),
    () => ({ policy: isAllowed ? everything : defaultPolicy, agentDestroyLimit: 3 }),
  );
  const call = { signal: new AbortController().signal, report: () => {} };
  const person = (name: string, input: unknown) =>
    gate.invoke(name, input, { ...call, caller: 'person', actor: 'ada', confirm: async () => true });

  // What a person has: two instances with work, secrets and settings, and a snapshot of one of them.
  const secrets = { TOKEN: 'hunter2-of-the-person' };
  const made = [];
  for (const name of ['prod', 'stage']) {
    const { id } = await controller.createInstance(
      { name, secretEnv: ['TOKEN'], env: { MODE: name }, ports: [80], metadata: { team: 'x' } },
      'here',
      call,
      secrets,
    );
    fill(here, id, `work of ${name}`);
    made.push({ id, name, config: controller.getInstance(id).config });
  }
  const own = made.map(({ id }) => id);
  const snapshot = await controller.snapshots.takeSnapshot(own[0] ?? '', call);
  for (const { place } of [here, there]) {
    place.shell = async (id, command) => ({
      exitCode: 0,
      stdout: `${command}\n${JSON.stringify(place.instances.get(id)?.variables)}`,
      stderr: place.instances.get(id)?.variables.TOKEN ?? '',
      truncated: false,
    });
  }
  here.place.instances.get(own[0] ?? '')?.log.push(`started with ${secrets.TOKEN}`);

  const open: (() => void)[] = [];
  let isAnswered = false;
  const pending: Promise<unknown>[] = [];
  const destroyed: number[] = [];
  for (const { which, a, b, times, answer, later } of steps) {
    uptime += later * minute;
    const known = {
      ids: [
        ...own,
        ...controller
          .listInstances()
          .map(({ id }) => id)
          .filter(id => !own.includes(id))
          .toSorted(),
      ],
      migrationIds: controller.migrations
        .listMigrations()
        .map(({ id }) => id)
        .toSorted(),
      snapshotIds: [snapshot.id],
      ...{ storage, folder },
    };
    const move = moveOf(known, which, a, b);
    aimed.set(move.aim, (aimed.get(move.aim) ?? 0) + 1);
    let hasOpened = () => {};
    const opened = new Promise<void>(resolve => {
      hasOpened = resolve;
    });
    const confirm: OperationCall['confirm'] = async () => {
      asked++;
      if (answer !== 'open') return answer === 'yes';
      // A call that was slow asks only now.
      if (isAnswered) return true;
      const answered = new Promise<boolean>(resolve => open.push(() => resolve(true)));
      hasOpened();
      return answered;
    };
    const calls = Array.from({ length: times }, async () => {
      const count = covered.get(move.operation) ?? { ok: 0, refused: 0 };
      covered.set(move.operation, count);
      try {
        const output = await gate.invoke(move.operation, move.input, {
          ...call,
          caller: 'agent',
          actor: 'chat',
          confirm,
        });
        count.ok++;
        said.push(output);
        if (move.operation === 'delete_swarm_instance') {
          const { results } = output as { results: { outcome: string }[] };
          destroyed.push(...results.filter(({ outcome }) => outcome === 'done').map(() => uptime));
        }
      } catch (error) {
        count.refused++;
        said.push(isAbort(error) ? 'aborted' : messageOf(error));
      }
    });
    pending.push(...calls);
    await measured(move.aim, Promise.race([Promise.all(calls), opened]));
  }
  isAnswered = true;
  for (const answer of open) answer();
  await Promise.all(pending);

  // What a person finds, and does.
  for (const { id, desired } of controller.listInstances()) {
    if (!own.includes(id) && desired !== 'trashed') await person('delete_swarm_instance', { instanceIds: [id] });
  }
  const isTrashed = (id: string) => controller.getInstance(id).desired === 'trashed';
  // Agents may have given one the name of the other: each gets one of its own first.
  for (const [index, id] of own.toSorted((one, other) => Number(isTrashed(one)) - Number(isTrashed(other))).entries()) {
    if (isTrashed(id)) await person('restore_swarm_instance', { instanceIds: [id] });
    await person('update_swarm_instance', { instanceId: id, name: `found ${index}` });
  }
  for (const { id, name, config } of made) {
    await person('update_swarm_instance', { instanceId: id, name });
    if (configBeforeAgents(controller.getInstance(id))) await person('undo_agent_changes', { instanceId: id });
    await person('start_swarm_instance', { instanceIds: [id] });
    const now = controller.getInstance(id);
    const place = now.providerId === 'here' ? here : there;
    expect({ config: now.config, work: contentOf(place, id), secrets: await vault.read(id) }).toEqual({
      config,
      work: `work of ${name}`,
      secrets,
    });
    expect(place.place.instances.get(id)?.variables).toMatchObject({ ...secrets, MODE: name });
  }
  expect(controller.snapshots.getSnapshot(snapshot.id).instanceId).toBe(own[0]);
  expect(keeper.kept.get(snapshot.id)).toBe('work of prod');
  const lost = [here, there].flatMap(({ place }) => place.destroyed).filter(({ id }) => own.includes(id));
  expect(lost.filter(({ by }) => by !== 'deleteInstance')).toEqual([]);
  // Never more than three in ten minutes.
  for (const since of destroyed)
    expect(destroyed.filter(time => time >= since && time < since + 10 * minute).length).toBeLessThanOrEqual(3);
  expect(JSON.stringify([said, events])).not.toMatch(/hunter2/);
  expect(surveyed.filter(found => found !== folder)).toEqual([]);
  await controller.dispose();
}

/** Keeps the longest that one turn of the loop has worked, in processor time: what else the machine does is not counted. */
async function measured(during: string, work: Promise<unknown>): Promise<void> {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  work.then(end, end);
  let last = process.cpuUsage();
  while (!isOver) {
    await new Promise(setImmediate);
    const { user, system } = process.cpuUsage(last);
    last = process.cpuUsage();
    const milliseconds = (user + system) / 1000;
    if (milliseconds > worstTurn.milliseconds) worstTurn = { milliseconds, during };
  }
  await work;
}

test(
  `${sequences} sequences of a hostile agent: nothing of a person’s is lost for good, no secret leaves, nothing stalls`,
  async () => {
    const seeds = fc.sample(Sequence, { seed: 45, numRuns: sequences });
    for (const [index, sequence] of seeds.entries()) {
      // Each of what is for persons only comes in turn: not all of it is drawn.
      const inTurn = { which: aims.indexOf('what persons may'), a: index, b: index, times: 1, answer: 'no', later: 0 };
      await play({ ...sequence, steps: [...sequence.steps, inTurn] }).catch(error => {
        throw new Error(`In sequence ${index}: ${error.message}`, { cause: error });
      });
      // The first ones compile what all of them use.
      if (index === 4) worstTurn = { milliseconds: 0, during: '' };
    }
    const effects = new Map(catalog.map(({ name, effect }) => [name, effect]));
    const table = [...covered].map(
      ([name, { ok, refused }]) => `${name} (${effects.get(name)}): ${ok} done, ${refused} refused`,
    );
    console.log(
      [
        `${seeds.length} sequences, ${asked} questions; longest turn ${worstTurn.milliseconds.toFixed(1)} ms of processor time (${worstTurn.during})`,
        ...table.toSorted(),
        ...[...aimed].map(([aim, times]) => `aim "${aim}": ${times}×`).toSorted(),
      ].join('\n'),
    );
    // Everything that agents may call was done, all else was tried and refused, and each aim was had.
    const never = agentOperations.filter(({ name }) => (covered.get(name)?.ok ?? 0) === 0).map(({ name }) => name);
    const others = catalog.filter(operation => !agentOperations.includes(operation));
    const untried = others.filter(({ name }) => (covered.get(name)?.refused ?? 0) === 0).map(({ name }) => name);
    const allowed = others.filter(({ name }) => (covered.get(name)?.ok ?? 0) > 0).map(({ name }) => name);
    expect({ never, untried, allowed, unaimed: aims.filter(aim => !aimed.has(aim)) }).toEqual({
      never: [],
      untried: [],
      allowed: [],
      unaimed: [],
    });
    // A pattern that backtracks takes seconds here.
    expect(worstTurn.milliseconds).toBeLessThan(1_000);
  },
  long ? 3_600_000 : 120_000,
);
