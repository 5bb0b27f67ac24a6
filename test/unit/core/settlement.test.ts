import { describe, expect, test } from 'vitest';
import { refuseElsewhere } from '../../../src/core/admission.ts';
import { adopted, withStatus } from '../../../src/core/records.ts';
import { settle } from '../../../src/core/settlement.ts';
import {
  DesiredState,
  InstanceConfig,
  type InstanceRecord,
  InstanceRole,
  InstanceStatus,
} from '../../../src/model/instance.ts';
import type { InstanceObservation } from '../../../src/model/provider.ts';

const identity = {
  id: 'aaaaaaaaaaaa',
  swarmId: 'bbbbbbbbbbbbbbbb',
  epoch: 1,
  createdAt: '2026-01-01T00:00:00.000Z',
};

function record(over: Partial<InstanceRecord>): InstanceRecord {
  return {
    ...identity,
    owner: { user: 'ada', machine: 'm' },
    providerId: 'p',
    role: 'owner',
    config: InstanceConfig.parse({ name: 'one' }),
    status: 'running',
    desired: 'running',
    schemaVersion: 1,
    revision: 1,
    statusSince: identity.createdAt,
    ...over,
  };
}

const seen = (over: Partial<InstanceObservation> = {}): InstanceObservation => ({
  ...identity,
  role: 'owner',
  status: 'running',
  ...over,
});

const error = { code: 'provider-unreachable', message: 'It does not answer.', at: identity.createdAt };
const stoppedShown = { do: 'show', status: 'stopped' } as const;

describe('what lives on another machine', () => {
  const there = seen({ status: 'unknown', elsewhere: 'anns-laptop', detail: 'runs on anns-laptop' });

  test('is only shown, whatever was asked for and however it was left', () => {
    for (const desired of DesiredState.options) {
      for (const status of InstanceStatus.options) {
        for (const role of InstanceRole.options) {
          const left = { wanted: InstanceConfig.parse({ name: 'two' }), restoring: 'cccccccccccccccc', error };
          for (const more of [{}, left]) {
            const step = settle(record({ desired, status, ...more }), { ...there, role });
            expect(step).toMatchObject({ do: 'show', detail: 'runs on anns-laptop' });
          }
        }
      }
    }
  });

  test('keeps the status by which is known what is left to be done when it is here again', () => {
    expect(settle(record({ status: 'creating' }), there)).toMatchObject({ status: 'creating' });
    expect(settle(record({ status: 'running' }), there)).toMatchObject({ status: 'unknown' });
  });

  test('is wanted running when it is taken into the registry, as it most likely runs', () => {
    const { schemaVersion: _schemaVersion, revision: _revision, desired: _desired, ...instance } = record({});
    const { statusSince: _statusSince, ...found } = instance;
    expect(adopted({ ...found, status: 'unknown', elsewhere: 'anns-laptop' })).toMatchObject({ desired: 'running' });
  });

  test('is refused before anything is written of what was asked for', () => {
    expect(() => refuseElsewhere(record({ elsewhere: 'anns-laptop' }))).toThrow('runs on anns-laptop');
    expect(refuseElsewhere(withStatus(record({ elsewhere: 'anns-laptop' }), { status: 'stopped' })).elsewhere).toBe(
      undefined,
    );
  });
});

describe('settling what is wanted against what is seen', () => {
  test.each([
    ['a create that was cut off is finished', { status: 'creating' }, undefined, { do: 'finish-create' }],
    ['also when the place already has it', { status: 'creating' }, seen(), { do: 'finish-create' }],
    [
      'a first start that was cut off is finished',
      { setup: { status: 'pending', problems: [] } },
      seen(),
      { do: 'finish-create' },
    ],
    ['a permanent delete is finished, seen or not', { desired: 'absent' }, undefined, { do: 'delete' }],
    ['and goes before a create', { desired: 'absent', status: 'creating' }, seen(), { do: 'delete' }],
    ['a delete that was cut off is finished', { desired: 'trashed' }, seen(), { do: 'trash' }],
    ['also one whose end is not in the record', { desired: 'trashed' }, seen({ role: 'trash' }), { do: 'trash' }],
    ['a restore that was cut off is finished', { desired: 'stopped' }, seen({ role: 'trash' }), { do: 'restore' }],
    [
      'what is in the trash shows so',
      { desired: 'trashed', role: 'trash' },
      seen({ role: 'trash', status: 'stopped' }),
      { do: 'show', status: 'trashed' },
    ],
    [
      'an update that was cut off is finished',
      { wanted: InstanceConfig.parse({ name: 'two' }) },
      seen(),
      { do: 'update' },
    ],
    [
      'but not in the trash',
      { wanted: InstanceConfig.parse({ name: 'two' }), desired: 'trashed', role: 'trash' },
      seen({ role: 'trash' }),
      { do: 'show', status: 'trashed' },
    ],
    ['a home that is not whole is brought back', { restoring: 'cccccccccccc' }, seen(), { do: 'bring-back' }],
    [
      'but not in the trash',
      { restoring: 'cccccccccccc', desired: 'trashed', role: 'trash' },
      seen({ role: 'trash' }),
      { do: 'show', status: 'trashed' },
    ],
    ['a stop that was cut off is finished', { desired: 'stopped', status: 'stopping' }, seen(), { do: 'stop' }],
    ['and one that failed', { desired: 'stopped', status: 'unknown', error }, seen(), { do: 'stop' }],
    [
      'also of what has not answered yet',
      { desired: 'stopped', status: 'stopping' },
      seen({ status: 'starting' }),
      { do: 'stop' },
    ],
    ['a start that was cut off is gone on with', { status: 'starting' }, seen({ status: 'starting' }), { do: 'start' }],
    ['also one that had not begun', { status: 'starting' }, seen({ status: 'stopped' }), { do: 'start' }],
    ['it is over when it runs', { status: 'starting' }, seen(), { do: 'show', status: 'running' }],
    ['and when it failed', { status: 'starting', error }, seen({ status: 'stopped' }), stoppedShown],
    [
      'it is gone on with by what restores a home',
      { status: 'starting', restoring: 'cccccccccccc' },
      seen({ status: 'stopped' }),
      { do: 'bring-back' },
    ],
    [
      'and waits for a place that can tell nothing',
      { status: 'starting' },
      seen({ status: 'unknown' }),
      { do: 'show', status: 'starting' },
    ],
    ['it is over when nothing runs', { desired: 'stopped', error }, seen({ status: 'stopped' }), stoppedShown],
    ['what somebody else has started is shown', { desired: 'stopped' }, seen(), { do: 'show', status: 'running' }],
    ['an empty list is no proof of deletion', {}, undefined, { do: 'confirm-absence' }],
    [
      'what stopped by itself is shown, and left alone',
      { desired: 'running' },
      seen({ status: 'stopped', detail: 'exit code 1' }),
      { do: 'show', status: 'stopped', detail: 'exit code 1' },
    ],
    ...(['running', 'stopped', 'trashed'] as const).map(
      desired =>
        [
          `of what is wanted ${desired} and can't be told now nothing is done`,
          { desired, status: 'stopping', error, wanted: InstanceConfig.parse({ name: 'two' }) },
          seen({ status: 'unknown', detail: 'away' }),
          // By the status it is known what is left to be done when it can be told again.
          { do: 'show', status: 'stopping', detail: 'away' },
        ] as const,
    ),
    ['and nothing is removed', { desired: 'absent' }, seen({ status: 'unknown' }), { do: 'show', status: 'unknown' }],
    ['or made', { status: 'creating' }, seen({ status: 'unknown' }), { do: 'show', status: 'creating' }],
  ] as const)('%s', (_rule, over, observation, step) => {
    expect(settle(record(over as Partial<InstanceRecord>), observation)).toEqual(step);
  });
});

test.each(['running', 'stopped', 'trashed'] as const)(
  'of one that is wanted %s, and is being removed, nothing is done',
  desired => {
    expect(settle(record({ desired }), seen({ role: 'removing', status: 'deleting' }))).toMatchObject({
      do: 'show',
      status: 'lost',
    });
  },
);
