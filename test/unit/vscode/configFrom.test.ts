import { describe, expect, test } from 'vitest';
import {
  defaultHealthConfig,
  defaultMigrationConfig,
  defaultPolicy,
  HealthConfig,
  MigrationConfig,
  SwarmConfig,
} from '../../../src/model/config.ts';
import { configFrom } from '../../../src/vscode/configFrom.ts';
import { settingsTable } from '../../../src/vscode/settingsTable.ts';

const from = (values: Record<string, unknown>) => configFrom(field => values[field]);

describe('the settings', () => {
  test('there is a row for each, and every default is valid', () => {
    const { health: _health, migration: _migration, snapshots: _snapshots, ...others } = SwarmConfig.shape;
    const ofHealth = Object.keys(HealthConfig.shape).map(name => `health.${name}`);
    const ofMigration = Object.keys(MigrationConfig.shape).map(name => `migration.${name}`);
    const fields = [...Object.keys(others), ...ofHealth, ...ofMigration, 'snapshots.interval'];
    expect(settingsTable.map(({ field }): string => field).toSorted()).toEqual(fields.toSorted());
    const { config, problems } = from({});
    expect(problems).toEqual([]);
    expect(SwarmConfig.parse(config)).toEqual(config);
    expect(config).toMatchObject({ loadStateOnStartup: true, agentDestroyLimit: 3, providers: [] });
    expect(config.health).toEqual(defaultHealthConfig);
    expect(config.migration).toEqual(defaultMigrationConfig);
  });

  test.each([
    ['stateDirectory', 'relative/path', /absolute/],
    ['autoSaveInterval', 0, /1/],
    ['providers', [{ id: 'A B', type: 'docker' }], /0\.id/],
    ['policy', { ...defaultPolicy, person: 'all' }, /person/],
    ['health.checkInterval', 1, /5/],
    ['health.recoveryActions', 5, /array/],
    ['migration.defaultStrategy', 'teleport', /stop-and-recreate/],
    ['migration.timeout', 1, /10/],
  ])('an invalid %s is named, and its default holds', (field, value, why) => {
    const { config, problems } = from({ [field]: value, loadStateOnStartup: false });
    expect(problems).toEqual([{ key: `remoteSwarm.${field}`, problem: expect.stringMatching(why) }]);
    expect(config).toEqual({ ...from({}).config, loadStateOnStartup: false });
  });

  test('each number of health stands alone: an invalid one leaves the others as they were set', () => {
    const { config, problems } = from({
      'health.failureThreshold': 0,
      'health.checkInterval': 60,
      'health.enabled': false,
    });
    expect(problems.map(({ key }) => key)).toEqual(['remoteSwarm.health.failureThreshold']);
    expect(config.health).toEqual({ ...defaultHealthConfig, checkInterval: 60, enabled: false });
  });

  test.each([-1, '0', 1.5, 'none'])('a limit of %j is named, and agents may destroy nothing', agentDestroyLimit => {
    const { config, problems } = from({ agentDestroyLimit });
    expect(problems.map(({ key }) => key)).toEqual(['remoteSwarm.agentDestroyLimit']);
    expect(config.agentDestroyLimit).toBe(0);
  });

  test('a slip in the policy never lifts a restriction; what is not said there has its default', () => {
    const agent = { change: 'deny', execute: 'Deny', destroy: 'deny' };
    const { config, problems } = from({ policy: { agent, client: 'deny' } });
    expect(problems.map(({ problem }) => problem).join()).toMatch(/agent\.execute.*client/s);
    expect(config.policy).toEqual({
      ...defaultPolicy,
      agent: { read: 'allow', change: 'deny', execute: 'deny', destroy: 'deny' },
      client: { read: 'deny', change: 'deny', execute: 'deny', destroy: 'deny' },
    });
    expect(from({ policy: 'all' }).config.policy.agent.change).toBe('deny');
  });

  test('of two providers of one name the first holds', () => {
    const providers = [
      { id: 'docker', type: 'docker', host: 'a' },
      { id: 'docker', type: 'docker', host: 'b' },
    ];
    const { config, problems } = from({ providers });
    expect(config.providers).toEqual([providers[0]]);
    expect(problems[0]?.problem).toContain('"docker"');
  });
});
