import * as fs from 'node:fs';
import * as path from 'node:path';
import type Dockerode from 'dockerode';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { InstanceRecord } from '../../../src/model/instance.ts';
import { readContainer } from '../../../src/providers/docker/instanceContainer.ts';
import { ProviderFactory } from '../../../src/providers/providerFactory.ts';
import { JsonFileStore } from '../../../src/storage/jsonFileStore.ts';
import { newSpec } from '../../contract/specs.ts';
import { loneProvider } from '../../fakes/loneProvider.ts';
import { testMachine } from '../../fakes/testMachine.ts';
import { hostile } from '../hostileInput.ts';
import { idOf, makeRecord } from '../operations/fakeSwarm.ts';
import { scratchDirectory } from '../storage/scratch.ts';
import { filesBelow } from './place.ts';

const strange = fc.oneof(
  ...Object.values(hostile),
  fc.constantFrom(
    '',
    '.',
    '..',
    '../outside',
    `../instances/${idOf(1)}`,
    `${idOf(1)}/..`,
    `${idOf(1)}\0`,
    idOf(1).toUpperCase(),
  ),
);

test('a store addresses nothing but records, whatever it is asked for', async () => {
  const root = scratchDirectory();
  fs.mkdirSync(path.join(root, 'instances'));
  fs.writeFileSync(path.join(root, 'outside.json'), JSON.stringify(makeRecord(1)));
  const store = new JsonFileStore(path.join(root, 'instances'), InstanceRecord, 1);
  await store.update(idOf(1), () => makeRecord(1));
  const before = filesBelow(root);
  await fc.assert(
    fc.asyncProperty(strange, async id => {
      const refused = { code: 'invalid-input' };
      await expect(store.read(id)).rejects.toMatchObject(refused);
      await expect(store.update(id, () => null)).rejects.toMatchObject(refused);
      await expect(store.update(id, () => ({ ...makeRecord(1), id }))).rejects.toMatchObject(refused);
      expect(() => store.fileOf(id)).toThrow(expect.objectContaining(refused));
      expect(filesBelow(root)).toEqual(before);
    }),
    { numRuns: 40 },
  );
});

test('a provider of this machine finds nothing outside its folder, and makes nothing there', async () => {
  const root = scratchDirectory();
  const directory = path.join(root, 'instances');
  fs.mkdirSync(directory);
  const guarded = await ProviderFactory.createProvider(
    'local',
    { id: 'here', type: 'local', directory, server: path.join(root, 'no-server') },
    {
      localDirectory: root,
      launcher: root,
      editorServerDirectory: root,
      machine: testMachine,
      readSecret: async () => undefined,
    },
  );
  const provider = loneProvider(guarded);
  await fc.assert(
    fc.asyncProperty(strange, async id => {
      const spec = newSpec('swarm00000000000');
      // An instance that is whole, where a path that goes up would lead.
      for (const folder of ['outside--owner', 'outside--trash']) {
        fs.mkdirSync(path.join(root, folder, 'reserved'), { recursive: true });
        const mark = { identity: { ...spec.identity, id: idOf(1) }, config: { name: 'x' } };
        fs.writeFileSync(path.join(root, folder, 'reserved', 'instance.json'), JSON.stringify(mark));
      }
      const before = filesBelow(root);
      expect(await provider.getInstance(id)).toBeNull();
      expect(await provider.deleteInstance(id)).toBe(false);
      const calls = [
        () => provider.startInstance(id),
        () => provider.stopInstance(id),
        () => provider.updateInstance(id, { name: 'other' }),
        () => provider.getInstanceLogs(id),
        () => provider.executeCommand(id, 'true'),
        () => provider.abilities.readToken(id),
        () => provider.abilities.trashInstance(id),
        () => provider.abilities.restoreInstance(id),
      ];
      for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'instance-not-found' });
      expect(filesBelow(root)).toEqual(before);
    }),
    { numRuns: 25 },
  );
});

test('a container whose labels say such an id is none of ours; other strange labels harm nobody', () => {
  const row = (labels: Record<string, string>) =>
    readContainer({
      ...{ Id: 'c1', Image: 'i', State: 'running', Status: 'Up', Created: 1_700_000_000, Ports: [] },
      Names: [`/remote-swarm-${labels['remote-swarm.instance']}--owner`],
      Labels: labels,
    } as unknown as Dockerode.ContainerInfo);
  fc.assert(
    fc.property(strange, strange, (id, other) => {
      expect(row({ 'remote-swarm.instance': id })).toBeUndefined();
      const read = row({
        'remote-swarm.instance': idOf(1),
        'remote-swarm.epoch': other,
        'remote-swarm.created': other,
        'remote-swarm.swarm': other,
      });
      expect(read).toMatchObject({ id: idOf(1), epoch: 1, createdAt: '2023-11-14T22:13:20.000Z', swarmId: other });
    }),
  );
});
