import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { machineConfig } from '../../../../src/providers/fly/machineConfig.ts';
import { markOf } from '../../../../src/providers/instanceMark.ts';
import { newSpec, testSwarmId } from '../../../contract/specs.ts';

test('a machine starts without what its image says to nodes and loaders, and hands it over as it is', () => {
  const { init, files } = machineConfig({
    ...{ mark: markOf(newSpec(testSwarmId(), { secretEnv: ['KEY'] })), role: 'owner', mode: 'serve' },
    ...{ image: 'i', resources: {}, volumeId: 'v' },
    programs: { 'gate.mjs': '', 'launcher.mjs': '', 'home.mjs': '' },
  });
  const [shell = '', flag = '', start = '', called = ''] = init.exec;
  const said = `--require "a b" '$HOME' \\$x`;
  const env = { PATH: process.env.PATH ?? '', NODE_OPTIONS: said, NODE_ENV: 'production', OPENSSL_CONF: '' };
  const { stdout } = spawnSync(shell, [flag, start, called, 'env'], { env, encoding: 'utf8' });
  const lines = stdout.split('\n');
  expect(lines).toContain(`REMOTE_SWARM_HELD_BACK_NODE_OPTIONS=${said}`);
  expect(lines).toContain('NODE_ENV=production');
  expect(lines.filter(line => /^(NODE_OPTIONS|OPENSSL_CONF)=/.test(line))).toEqual([]);

  const noted = files.find(file => file.guest_path.endsWith('/instance.json'));
  const text = noted && 'raw_value' in noted ? noted.raw_value : '';
  expect(JSON.parse(Buffer.from(text, 'base64').toString())).toEqual({ config: { secretEnv: ['KEY'] } });
});
