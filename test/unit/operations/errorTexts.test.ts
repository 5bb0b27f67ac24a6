import { describe, expect, test } from 'vitest';
import * as errors from '../../../src/model/errors.ts';
import * as homeErrors from '../../../src/model/homeErrors.ts';
import * as machineErrors from '../../../src/model/machineErrors.ts';
import * as ownershipErrors from '../../../src/model/ownershipErrors.ts';
import { forLog, forModel, forPerson } from '../../../src/vscode/errorWording.ts';

const makers = { ...errors, ...homeErrors, ...ownershipErrors, ...machineErrors };
type Made = {
  [Name in keyof typeof makers]: (typeof makers)[Name] extends (...args: infer _) => errors.SwarmError ? Name : never;
};
type ErrorName = Made[keyof typeof makers];
type Sample<Name extends ErrorName> = readonly [...Parameters<(typeof makers)[Name]>];

const cause = new Error('ENOSPC: no space left on device');
const id = 'k3x9q2m7w1ab';

/** Arguments for each named error; the compiler misses one that is not here. */
const samples: { [Name in ErrorName]: readonly Sample<Name>[] } = {
  invalidInput: [['The input of "Create Instance"', ['name: must not be empty', 'ports.0: must be a number']]],
  folderTooLarge: [
    [
      '/home/ann',
      { bytes: 3 * 1024 ** 4, files: 412_000, special: 3 },
      { bytes: 20 * 1024 ** 3, files: 1_000_000, leftOut: 200, seconds: 120 },
    ],
  ],
  notJson: [['The document', "Expected ',' or '}' after property value in JSON at position 34 (line 3 column 5)"]],
  nameTaken: [
    ['web', id],
    ['web', id, 'Rename that one first.'],
  ],
  unknownProvider: [
    ['dockr', ['local', 'docker']],
    ['docker', []],
  ],
  invalidSetting: [['remoteSwarm.providers', 'it must be an array']],
  unknownDefaultProvider: [
    ['dockr', ['local', 'docker']],
    ['docker', []],
  ],
  unknownEnabledProvider: [
    ['dockr', ['local', 'docker']],
    ['docker', []],
  ],
  unknownProviderType: [['work', 'dockr', ['local', 'docker']]],
  providerUnusable: [
    ['work', 'Entry 1 of remoteSwarm.providers is not valid: type: is required, a string.', 'Correct it.'],
    ['work', 'Entry 1 of remoteSwarm.providers is not valid: type: is required, a string.'],
  ],
  unsupported: [['local', 'limit resources']],
  noPlacement: [[['"local" cannot limit resources', '"docker" does not answer']]],
  unknownOperation: [['drop_swarm', ['list_swarm_instances', 'get_swarm_status']]],
  instanceNotFound: [[id]],
  instanceBusy: [[id, 'being stopped']],
  wrongState: [[id, 'stopped', 'it must be running']],
  swarmBusy: [[]],
  recoveryRefused: [['a1b2c3d4e5f6', 'Its home is not proven to be safe.']],
  stateElsewhere: [['anns-laptop']],
  stateMoved: [['/home/ada/state']],
  stateUnmovable: [['/home/ada/state', '/home/ada/work', 'both are the same directory']],
  runsElsewhere: [[id, 'anns-laptop']],
  homeMissing: [[id, 'docker']],
  ownedByAnother: [
    [id, { user: 'bob', machine: 'desk' }, '2026-11-30T10:00:00.000Z'],
    [id, { user: 'bob', machine: 'desk' }, undefined],
  ],
  olderState: [[id, 'docker']],
  migrationNotFound: [[id]],
  migrationRefused: [[`The migration of "${id}"`, 'It lives on "docker" already.', 'Name another provider.']],
  migrationsOff: [[]],
  homesDiffer: [[id]],
  homeNotRemoved: [['/homes/a/file', 'operation not permitted', 0, undefined]],
  removalBegun: [[id, 'docker']],
  copyNotWhole: [[id, 'docker']],
  homeStreamBroken: [[]],
  homeSilent: [[['docker', 'local'], 60]],
  failOverRefused: [[id, 'It has no snapshot.', 'Wait for its provider.']],
  homeNotAsKept: [[id]],
  restoreCutOff: [[id, cause]],
  homeNotKept: [[id, new Error('no space left on device')]],
  noRoomForSnapshot: [[1024 ** 3]],
  snapshotCutOff: [[id]],
  snapshotNotFound: [[id]],
  snapshotDamaged: [[id, cause]],
  snapshotsNotWritable: [['/home/ada/state/snapshots', cause]],
  homeTaskFailed: [[id, 'local', 'ENOSPC: no space left on device, write']],
  newerState: [['instances/k3x9q2m7w1ab.json', 7]],
  lockLost: [[id]],
  instanceExists: [[id]],
  stateUnavailable: [['/home/ada/state', cause]],
  auditUnavailable: [[cause]],
  commandTimedOut: [[id, 60]],
  unexpectedResult: [['"Get Instance"', ['status: is required, a string']]],
  unexpectedFailure: [['"Start Instances"', cause]],
  reservedFileUnreadable: [[id, 'reserved/instance.json', 'it is not JSON']],
  denied: [
    ['"Remove Everything of This Swarm"', 'it is for persons only', 'Ask the person to do it in the Instances view.'],
  ],
  confirmationRefused: [['"Delete Instances"']],
  destroyLimitReached: [
    [3, '14:05'],
    [0, undefined],
  ],
  providerUnreachable: [['docker', 'connection refused', 'Start the Docker engine.', cause]],
  timedOut: [['Starting the instance', 90_000]],
  editorServerMissing: [['local']],
  editorServerInvalid: [['local', '/opt/none']],
  npmMissing: [[]],
  installFailed: [['code-server', 'the registry does not answer', cause]],
  providerRefused: [['no-such-image', 'There is no image "nope:1".', 'Correct the image, or sign in to its registry.']],
};

const made = Object.entries(samples).flatMap(([name, calls]) =>
  (calls as readonly (readonly unknown[])[]).map((args, index) => ({
    name: index === 0 ? name : `${name} (${index + 1})`,
    error: (makers[name as ErrorName] as (...args: readonly unknown[]) => errors.SwarmError)(...args),
  })),
);

describe('the texts of all errors', () => {
  test('are as they were reviewed', () => {
    const texts = Object.fromEntries(
      made.map(({ name, error }) => [
        name,
        { family: error.family, code: error.code, person: forPerson(error), model: forModel(error) },
      ]),
    );
    expect(texts).toMatchSnapshot();
  });

  test('every named error is among them', () => {
    const named = Object.entries(makers).filter(
      ([name, value]) => typeof value === 'function' && !/^(SwarmError|isAbort|messageOf)$/.test(name),
    );
    expect(Object.keys(samples).toSorted()).toEqual(named.map(([name]) => name).toSorted());
  });

  test.each(made)('$name: sentences, a next step, a stable code', ({ error }) => {
    expect(error.message).toMatch(/^[A-Za-z"\d/].*\.$/s);
    expect(error.hint).toMatch(/^[A-Z].*\.$/);
    expect(error.message).not.toMatch(/\.\.|undefined|\[object/);
    expect(error.code).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });
});

describe('wording', () => {
  test('a cancellation is no error for a person, and an end for a model', () => {
    const abort = new DOMException('This operation was aborted', 'AbortError');
    expect(forPerson(abort)).toBeUndefined();
    expect(forModel(abort)).toMatch(/^cancelled: /);
  });

  test('what nobody foresaw still has a next step', () => {
    expect(forPerson(new TypeError('x is not a function'))).toBe(
      'Something unexpected went wrong: x is not a function. The log of Remote Swarm holds the details.',
    );
    expect(forModel('thrown text')).toMatch(/^unexpected-failure: .*thrown text/);
  });

  test('the log has the whole chain, even one that ends in itself', () => {
    const root: Error & { cause?: unknown } = new Error('root');
    const log = forLog(errors.auditUnavailable(new Error('disk', { cause: root })));
    expect(log).toContain('[state/audit-unavailable]');
    expect(log.split('Caused by: ')).toHaveLength(3);
    root.cause = root;
    expect(forLog(root).split('Caused by: ').length).toBeLessThan(10);
  });

  test('no token gets out, and nothing is endless', () => {
    const error = errors.providerRefused(
      'x',
      `GET http://127.0.0.1:1/?tkn=abc123&folder=/w ${'y'.repeat(9000)}`,
      'Wait.',
    );
    for (const text of [forPerson(error), forModel(error), forLog(error)]) expect(text).not.toContain('abc123');
    expect(forPerson(error)?.length).toBeLessThanOrEqual(600);
    expect(forModel(error).length).toBeLessThanOrEqual(4000);
  });
});
