import { expect, test } from 'vitest';
import { isInUse, unlessInUse, unlessInUseSync } from '../../../src/storage/fileInUse.ts';

const refusal = (code: string) => Object.assign(new Error(code), { code });

/** Refused so many times, and then done. */
function refusedTimes(times: number, code: string) {
  let tries = 0;
  const act = () => {
    tries += 1;
    if (tries <= times) throw refusal(code);
    return 'done';
  };
  return { act, tries: () => tries };
}

test.each(['EPERM', 'EACCES', 'EBUSY'])(
  'what Windows refuses with %s, as another has it open, is done later',
  async code => {
    for (const each of [unlessInUse, unlessInUseSync]) {
      const { act, tries } = refusedTimes(4, code);
      expect(await each(act, 'win32')).toBe('done');
      expect(tries()).toBe(5);
    }
  },
);

test.each([
  ['linux', 'EPERM'],
  ['darwin', 'EACCES'],
  ['win32', 'ENOENT'],
  ['win32', 'ENOSPC'],
] as const)('on %s %s is told at once', async (platform, code) => {
  expect(isInUse(refusal(code), platform)).toBe(false);
  for (const each of [unlessInUse, unlessInUseSync]) {
    const { act, tries } = refusedTimes(1, code);
    await expect((async () => each(act, platform))()).rejects.toMatchObject({ code });
    expect(tries()).toBe(1);
  }
});

test('what is refused for good is told, with the words of the system, within seconds', async () => {
  const { act, tries } = refusedTimes(Number.POSITIVE_INFINITY, 'EACCES');
  expect(() => unlessInUseSync(act, 'win32')).toThrow('EACCES');
  expect(tries()).toBeLessThan(20);
});
