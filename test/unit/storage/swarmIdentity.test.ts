import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { SwarmId } from '../../../src/model/instance.ts';
import { loadSwarmId } from '../../../src/storage/swarmIdentity.ts';
import { scratchDirectory } from './scratch.ts';

describe('the identity of a state directory', () => {
  test('is made once, and stays', async () => {
    const directory = path.join(scratchDirectory(), 'state');
    const first = await loadSwarmId(directory);
    expect(first.fresh).toBe(true);
    expect(SwarmId.safeParse(first.swarmId).success).toBe(true);
    expect(await loadSwarmId(directory)).toEqual({ swarmId: first.swarmId, fresh: false });
    expect(fs.statSync(path.join(directory, 'swarm.json')).mode & 0o777).toBe(0o600);
    expect((await loadSwarmId(scratchDirectory())).swarmId).not.toBe(first.swarmId);
  });

  test('is one, also when many windows start together', async () => {
    const directory = scratchDirectory();
    const all = await Promise.all(Array.from({ length: 8 }, () => loadSwarmId(directory)));
    expect(new Set(all.map(({ swarmId }) => swarmId)).size).toBe(1);
    expect(all.filter(({ fresh }) => fresh)).toHaveLength(1);
  });

  test.each(['', '{"schemaVersion":1,"swarmId"', '{"schemaVersion":1,"swarmId":"../../../etc/pass"}', 'null', '[]'])(
    'is made anew when the file holds %j, which is kept',
    async text => {
      const directory = scratchDirectory();
      fs.writeFileSync(path.join(directory, 'swarm.json'), text);
      const { swarmId, fresh } = await loadSwarmId(directory);
      expect(fresh).toBe(true);
      expect(await loadSwarmId(directory)).toEqual({ swarmId, fresh: false });
      const kept = fs.readdirSync(path.join(directory, 'quarantine'));
      expect(kept.map(name => fs.readFileSync(path.join(directory, 'quarantine', name), 'utf8'))).toEqual([text]);
    },
  );

  test('of a newer version is left alone', async () => {
    const directory = scratchDirectory();
    const text = JSON.stringify({ schemaVersion: 2, swarm: 'other' });
    fs.writeFileSync(path.join(directory, 'swarm.json'), text);
    await expect(loadSwarmId(directory)).rejects.toMatchObject({ code: 'newer-state' });
    expect(fs.readFileSync(path.join(directory, 'swarm.json'), 'utf8')).toBe(text);
  });

  test('says what the disk refuses', async () => {
    const file = path.join(scratchDirectory(), 'file');
    fs.writeFileSync(file, '');
    await expect(loadSwarmId(path.join(file, 'state'))).rejects.toMatchObject({ code: 'state-unavailable' });
  });
});
