import fc from 'fast-check';
import { expect, test } from 'vitest';
import { withUser } from '../../../../src/providers/docker/accounts.ts';

const root = 'root:x:0:0:root:/root:/bin/sh\n';
const home = '/remote-swarm/home:/bin/bash\n';

test.each([
  ['none at all', '', '', `coder:x:1000:1000::${home}`, 'coder:x:1000:\n'],
  ['only root', root, 'root:x:0:\n', `${root}coder:x:1000:1000::${home}`, 'root:x:0:\ncoder:x:1000:\n'],
  [
    'one of our number',
    `node:x:1000:100:Node,,,:/home/node:/usr/sbin/nologin\n${root}`,
    'users:x:100:\nnode:x:1000:\n',
    `${root}node:x:1000:100:Node,,,:${home}`,
    'users:x:100:\nnode:x:1000:\n',
  ],
  [
    'another that is called as ours',
    `${root}coder:x:5:5::/home/coder:/bin/sh`,
    'coder:x:5:',
    `${root}coder:x:5:5::/home/coder:/bin/sh\ncoder-1000:x:1000:1000::${home}`,
    'coder:x:5:\ncoder-1000:x:1000:\n',
  ],
])('an image with %s has one whose home is the instance', (_, passwd, group, users, groups) => {
  expect(withUser({ passwd, group }, '/bin/bash')).toEqual({ passwd: users, group: groups });
});

test('whatever an image has, there is one account of ours, no other is changed, and doing it again changes nothing', () => {
  const line = fc
    .tuple(fc.stringMatching(/^[a-z]{1,4}$/), fc.constantFrom(0, 5, 1000))
    .map(([n, id]) => `${n}:x:${id}:0::/:/x`);
  fc.assert(
    fc.property(fc.array(line), passwds => {
      const files = { passwd: passwds.join('\n'), group: '' };
      const once = withUser(files, '/bin/sh');
      const users = once.passwd.trim().split('\n');
      expect(users.find(user => user.split(':')[2] === '1000')?.split(':')[5]).toBeDefined();
      expect(users.filter(user => user.split(':')[2] !== '1000')).toEqual(
        passwds.filter(user => user.split(':')[2] !== '1000'),
      );
      expect(users.filter(user => user.includes('/remote-swarm/home'))).toHaveLength(1);
    }),
  );
});
