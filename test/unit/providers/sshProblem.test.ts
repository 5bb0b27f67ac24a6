import { expect, test } from 'vitest';
import { shellProblem, sshProblem, wordsOf } from '../../../src/providers/sshProblem.ts';

const target = { host: 'far', user: 'me', port: 2222 };

test.each([
  [
    '/home/me/.ssh/config line 3: invalid time value.\r\n/home/me/.ssh/config: terminating, 1 bad configuration options',
    'ssh-configuration',
  ],
  ['Bad owner or permissions on /home/me/.ssh/config', 'ssh-configuration'],
  ["Permissions 0644 for '/home/me/.ssh/id' are too open.\nme@far: Permission denied (publickey).", 'ssh-key-open'],
  ['Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures', 'ssh-permission'],
  [
    'Unable to negotiate with 10.0.0.1 port 22: no matching host key type found. Their offer: ssh-rsa',
    'ssh-algorithms',
  ],
  ['Connection closed by 10.0.0.1 port 22', 'provider-unreachable'],
])('ssh that says "%s" is told with the way out', (said, code) => {
  const { code: told, message, hint } = sshProblem('host', target, said);
  expect(told).toBe(code);
  expect(message).toMatch(/far|\.ssh/);
  expect(hint).toMatch(/\S/);
});

test('what a jump host said is not lost behind the end of the connection', () => {
  const said = [
    'channel 0: open failed: connect failed: Name or service not known',
    ...['stdio forwarding failed', 'Connection closed by UNKNOWN port 65535'],
  ];
  expect(sshProblem('host', target, said.join('\r\n')).message).toContain('Name or service not known');
});

test('what is said beside the reason is left out, unless there is no other', () => {
  expect(wordsOf('** WARNING: not post-quantum\r\ndebug1: x\r\nPermission denied.\r\n')).toBe('Permission denied');
  expect(wordsOf('debug1: x\n')).toBe('debug1: x');
  expect(wordsOf('\u001b[31mred\u001b[0m')).not.toContain('\u001b');
});

test.each([
  ['This account is currently not available.', 'its login shell refuses logins'],
  ["rbash: line 1: /bin/sh: restricted: cannot specify `/' in command names", 'a restricted one'],
  ['Must be connected to a terminal.', 'wants a terminal'],
  ['Access is restricted to members of staff.', 'something else'],
  ['fatal: unrecognized command', 'something else'],
])('an account that says "%s" in place of running a command is told with the way out', (said, words) => {
  const { code, message, hint } = shellProblem(target, said);
  expect(code).toBe('ssh-shell');
  expect(message).toMatch(/^far lets me in, but runs no command: /);
  expect(message).toContain(words);
  expect(hint).not.toMatch(/USER|\{command\}/);
});
