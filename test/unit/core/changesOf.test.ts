import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { merged } from '../../../src/core/admission.ts';
import { configBeforeAgents, lastRename, secretNames, withWanted } from '../../../src/core/changesOf.ts';
import type { Asker } from '../../../src/model/caller.ts';
import type { InstanceRecord, InstanceUpdate } from '../../../src/model/instance.ts';
import { makeRecord } from '../operations/fakeSwarm.ts';

const agent: Asker = { caller: 'agent', actor: 'chat' };
const person: Asker = { caller: 'person', actor: 'ada' };
const noon = Date.UTC(2030, 0, 1, 12);

/** The record once its provider has followed. */
const changed = (record: InstanceRecord, update: InstanceUpdate, by: Asker, now = noon): InstanceRecord => {
  const { wanted, ...next } = withWanted(record, config => merged(config, update), by, now);
  return { ...next, config: wanted };
};

describe('what agents change', () => {
  test('is kept beside what persons had, however often they change it', () => {
    let record = changed(makeRecord(1), { secretEnv: ['TOKEN'], env: { A: '1' } }, person);
    expect(record.beforeAgents).toBeUndefined();
    record = changed(record, { secretEnv: [], env: {} }, agent);
    record = changed(record, { image: 'evil', ports: [1] }, agent);
    record = changed(record, { secretEnv: ['OTHER'] }, { caller: 'client', actor: 'cli' });
    expect(secretNames(record).sort()).toEqual(['OTHER', 'TOKEN']);
    expect(configBeforeAgents(record)).toMatchObject({ secretEnv: ['TOKEN'], env: { A: '1' }, ports: [] });
    expect(configBeforeAgents(record)?.image).toBeUndefined();
    expect(record.beforeAgents?.by).toEqual(agent);
  });

  test('what a person changes meanwhile holds', () => {
    let record = changed(makeRecord(1), { secretEnv: ['TOKEN'] }, person);
    record = changed(record, { secretEnv: [] }, agent);
    record = changed(record, { ports: [80] }, person);
    expect(configBeforeAgents(record)).toMatchObject({ secretEnv: ['TOKEN'], ports: [80] });
    record = changed(record, { secretEnv: [] }, person);
    expect([configBeforeAgents(record), secretNames(record)]).toEqual([undefined, []]);
  });

  test('any row of changes: persons’ own, in their order, are what is left without the agents’', () => {
    const update = fc.record(
      {
        ports: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
        env: fc.constantFrom({}, { A: '1' }, { A: '2' }),
        name: fc.constantFrom('a', 'b'),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(update, fc.constantFrom(agent, person)), { maxLength: 12 }), changes => {
        const all = changes.reduce((record, [one, by]) => changed(record, one, by), makeRecord(1));
        const persons = changes
          .filter(([, by]) => by === person)
          .reduce((config, [one]) => merged(config, one), makeRecord(1).config);
        expect(configBeforeAgents(all) ?? all.config).toEqual(persons);
      }),
      { seed: 45, numRuns: 300 },
    );
  });
});

describe('names it had', () => {
  test('are told for a day, the oldest always, with who gave the last', () => {
    let record = changed(makeRecord(1), { name: 'a' }, person);
    for (const name of 'bcdefgh') record = changed(record, { name }, agent);
    expect(lastRename(record, noon)).toEqual({
      from: ['box 1', 'd', 'e', 'f', 'g'],
      at: '2030-01-01T12:00:00.000Z',
      by: agent,
    });
    expect(lastRename(record, noon + 86_400_001)).toBeUndefined();
    record = changed(record, { name: 'z' }, person, noon + 86_400_001);
    expect(record.renamed?.from).toEqual(['h']);
  });

  test('another change leaves them', () => {
    const record = changed(changed(makeRecord(1), { name: 'a' }, agent), { ports: [1] }, person);
    expect(record.renamed).toMatchObject({ from: ['box 1'], by: agent });
  });
});
