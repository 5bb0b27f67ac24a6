import { describe, expect, test } from 'vitest';
import { defaultPolicy, SwarmConfig } from '../../../src/model/config.ts';
import { configFrom } from '../../../src/vscode/configFrom.ts';
import { settingsTable } from '../../../src/vscode/settingsTable.ts';

const from = (values: Record<string, unknown>) => configFrom(field => values[field]);

describe('the settings', () => {
  test('there is a row for each, and every default is valid', () => {
    expect(settingsTable.map(({ field }) => field).toSorted()).toEqual(Object.keys(SwarmConfig.shape).toSorted());
    const { config, problems } = from({});
    expect(problems).toEqual([]);
    expect(SwarmConfig.parse(config)).toEqual(config);
    expect(config).toMatchObject({ loadStateOnStartup: true, agentDestroyLimit: 3, providers: [] });
  });

  test.each([
    ['stateDirectory', 'relative/path', /absolute/],
    ['autoSaveInterval', 0, /1/],
    ['providers', [{ id: 'A B', type: 'docker' }], /0\.id/],
    ['policy', { ...defaultPolicy, person: 'all' }, /person/],
    ['agentDestroyLimit', '3', /number/],
  ])('an invalid %s is named, and its default holds', (field, value, why) => {
    const { config, problems } = from({ [field]: value, loadStateOnStartup: false });
    expect(problems).toEqual([{ key: `remoteSwarm.${field}`, problem: expect.stringMatching(why) }]);
    expect(config).toEqual({ ...from({}).config, loadStateOnStartup: false });
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
