import { describe, expect, test } from 'vitest';
import type { Caller } from '../../../src/model/caller.ts';
import type { CredentialUse, SetupConsent } from '../../../src/model/setupConsent.ts';
import { FakeSwarm, makeRecord } from './fakeSwarm.ts';
import { makeBench } from './gateBench.ts';

const instance = makeRecord(1, { config: { ...makeRecord(1).config, name: 'box', image: 'evil/image:1' } });
const use: CredentialUse = { host: 'github.com', kind: 'account', url: 'https://github.com/a/b.git', instance };

/** What a create of that caller gets along, and what the person was asked. */
async function consentFor(caller: Caller, agrees: boolean) {
  const swarm = new FakeSwarm();
  let consent: SetupConsent | undefined;
  const { createInstance } = swarm;
  swarm.createInstance = (config, provider, ctx, secrets, beside?: { consent?: SetupConsent | undefined }) => {
    consent = beside?.consent;
    return createInstance.call(swarm, config, provider, ctx, secrets);
  };
  const bench = makeBench({ swarm });
  await bench.invoke('create_swarm_instance', { name: 'box' }, { caller, actor: 'the chat' });
  bench.agrees = async () => agrees;
  bench.questions.length = 0;
  return { consent, bench };
}

describe('whether a folder may be copied', () => {
  const folder = {
    path: '/home/ann/.ssh\u202e',
    bytes: 5 * 1024 ** 2,
    files: 12,
    outside: ['/home/ann/main/.git'],
    instance,
  };

  test('is not asked of a person who named it themself', async () => {
    const { consent, bench } = await consentFor('person', false);
    expect(await consent?.mayCopy(folder)).toBe(true);
    expect(bench.questions).toEqual([]);
  });

  test.each([true, false])('is asked for a program, with path and size (%s)', async agrees => {
    const { consent, bench } = await consentFor('agent', agrees);
    expect(await consent?.mayCopy(folder)).toBe(agrees);
    for (const named of [
      '/home/ann/.ssh\\u{202e}',
      'Comes along, since its git history lies there: /home/ann/main/.git',
      'In all: 5.24 MB in 12 files',
      instance.providerId,
      'Asked by the chat',
    ])
      expect(bench.questions[0]?.detail).toContain(named);
    expect(bench.events.filter(({ outcome }) => outcome?.includes('.ssh'))).toHaveLength(agrees ? 1 : 0);
  });
});

test('of a folder that can’t be copied a program is told nothing before a person agrees', async () => {
  const { consent, bench } = await consentFor('agent', true);
  expect(await consent?.mayCopy({ path: '/home/ann/.ssh', problem: 'It cannot be found.', instance })).toBe(true);
  expect(bench.questions[0]?.title).toBe('Tell the chat what is wrong with a folder of this computer?');
  for (const named of ['/home/ann/.ssh', 'It cannot be found.', 'Asked by the chat'])
    expect(bench.questions[0]?.detail).toContain(named);
  expect((await consentFor('person', false)).bench.questions).toEqual([]);
});

describe('whether a credential may be used', () => {
  test('is not asked of a person who asked for the instance themself', async () => {
    const { consent, bench } = await consentFor('person', false);
    expect(consent?.isLasting).toBe(true);
    expect(await consent?.mayUse(use)).toBe(true);
    expect(bench.questions).toEqual([]);
  });

  test('is nobody’s to say for what we do by ourselves', async () => {
    expect((await consentFor('controller', true)).consent).toBeUndefined();
  });

  test.each([
    ['agent', true],
    ['agent', false],
    ['client', true],
  ] as const)('is asked of a person each time for an %s, who says %s', async (caller, agrees) => {
    const { consent, bench } = await consentFor(caller, agrees);
    expect(consent?.isLasting).toBe(false);
    expect(await consent?.mayUse(use)).toBe(agrees);
    expect(await consent?.mayUse({ ...use, kind: 'keys', host: 'evil.org\u202e' })).toBe(agrees);
    const [account, keys] = bench.questions;
    expect(account?.title).toBe('Use your access to github.com for "box"?');
    for (const named of ['https://github.com/a/b.git', instance.id, 'evil/image:1', 'Asked by the chat'])
      expect(account?.detail).toContain(named);
    expect(keys?.title).toContain('evil.org\\u{202e}');
    const noted = bench.events.filter(({ outcome }) => outcome?.includes('github.com'));
    expect(noted).toHaveLength(agrees ? 1 : 0);
  });
});
