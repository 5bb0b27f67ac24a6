import { expect, test } from 'vitest';
import { cipherOrder } from '../../../../src/providers/ssh/sshConnection.ts';

test.each([
  [
    'quick ones come first, and all others after them',
    'user ada\nciphers chacha20-poly1305@openssh.com,aes128-ctr,aes128-gcm@openssh.com\nport 22',
    ['-o', 'Ciphers=aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes128-ctr'],
  ],
  ['none is added to those that are allowed', 'ciphers aes256-ctr', ['-o', 'Ciphers=aes256-ctr']],
  ['where nothing is known of them, ssh has its own way', '', []],
])('of the ciphers for a home %s', (_, configuration, options) => {
  expect(cipherOrder(configuration)).toEqual(options);
});
