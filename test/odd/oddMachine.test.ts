import { homedir, tmpdir } from 'node:os';
import { expect, test } from 'vitest';

test('the machine is as odd as it is meant to be', () => {
  expect([tmpdir(), homedir()].map(folder => folder.split('/').at(-1))).toEqual(['ü Büro [1]', 'ü Büro [1]']);
  expect(process.umask()).toBe(0o077);
  expect(Intl.DateTimeFormat().resolvedOptions()).toMatchObject({ locale: 'tr-TR', timeZone: process.env.TZ });
  // Apia left out a day, and St. John's is half an hour off all others.
  const day = new Date(2011, 11, 30, 12).toISOString();
  expect(day).toBe(
    { 'Pacific/Apia': '2011-12-30T22:00:00.000Z', 'America/St_Johns': '2011-12-30T15:30:00.000Z' }[
      process.env.TZ ?? ''
    ],
  );
});
