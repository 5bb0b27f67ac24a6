import * as os from 'node:os';
import { expect, test, vi } from 'vitest';
import { thisUser } from '../../../src/vscode/thisUser.ts';

vi.mock('node:os', async original => ({ ...(await original<typeof os>()), userInfo: vi.fn() }));

test('whoever has an account is called by it', () => {
  vi.mocked(os.userInfo).mockReturnValue({ username: 'ann' } as os.UserInfo<string>);
  expect(thisUser({ USER: 'other' })).toBe('ann');
});

test('a user id without an account is called as the environment says, or by its number', () => {
  vi.mocked(os.userInfo).mockImplementation(() => {
    throw new Error('A system error occurred: uv_os_get_passwd returned ENOENT (no such file or directory)');
  });
  expect(thisUser({ USER: 'ann' })).toBe('ann');
  expect(thisUser({ LOGNAME: 'ann' })).toBe('ann');
  expect(thisUser({})).toBe(`user ${process.getuid?.()}`);
});
