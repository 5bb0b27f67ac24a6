import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, expect } from 'vitest';
import { messageOf, SwarmError } from '../../../src/model/errors.ts';
import { identityOf } from '../../../src/model/identityOf.ts';
import { quietContext } from '../../../src/model/operationContext.ts';
import type { InstanceObservation } from '../../../src/model/provider.ts';
import { archiveOf } from '../../../src/providers/docker/archive.ts';
import type { DockerEngine } from '../../../src/providers/docker/dockerEngine.ts';
import type { InstanceContainer } from '../../../src/providers/docker/instanceContainer.ts';
import { InstanceReader } from '../../../src/providers/docker/instanceReader.ts';
import { ReservedFiles } from '../../../src/providers/docker/reservedFiles.ts';
import { instanceLayout } from '../../../src/providers/editorServer.ts';
import { InstanceMark, InstanceVariables } from '../../../src/providers/instanceMark.ts';
import { InstanceFolders } from '../../../src/providers/local/instanceFolders.ts';
import { LinuxProcesses } from '../../../src/providers/local/linuxProcesses.ts';
import { ServerExit, ServerMark } from '../../../src/providers/local/serverProcess.ts';
import { ProviderFactory } from '../../../src/providers/providerFactory.ts';
import { Token } from '../../../src/providers/reservedFile.ts';
import { newSpec } from '../../contract/specs.ts';
import { type LoneProvider, loneProvider } from '../../fakes/loneProvider.ts';
import { testMachine } from '../../fakes/testMachine.ts';
import { idOf } from '../operations/fakeSwarm.ts';
import { type FilePlace, filesBelow, type Outcome } from './place.ts';
import { freeOfConfig, wholeRecord } from './statePlaces.ts';

const swarmId = 'swarm00000000000';
export const badId = idOf(1);
const goodId = idOf(2);
/** Nothing of what is secret may get into an error. */
const secret = 'correct-horse-battery';

const sampleMark = {
  identity: {
    ...{ id: badId, swarmId, epoch: 1, generation: 3, owner: { user: 'ada', machine: 'm1' } },
    ...{ createdAt: wholeRecord.createdAt, adoptedAt: wholeRecord.createdAt },
  },
  config: wholeRecord.config,
};
const freeOfMark: FilePlace['free'] = {
  ...freeOfConfig('config.'),
  'identity.owner.user': ['dots', 'unicode'],
  'identity.owner.machine': ['dots', 'unicode'],
};
const sampleVariables = { KEY: 'plain', TOKEN: secret };
const freeOfVariables: FilePlace['free'] = { KEY: ['control', 'dots', 'unicode', 'large'] };

/** What a call rejects with; undefined when it does not. */
const refusal = (call: Promise<unknown>) =>
  call.then(
    () => undefined,
    (error: unknown) => error as SwarmError,
  );

function expectUnreadable(error: SwarmError | undefined, file: string): void {
  expect(error).toBeInstanceOf(SwarmError);
  expect(error).toMatchObject({ code: 'reserved-file-unreadable', retryable: false });
  expect(error?.message).toContain(`The file ${file} beside the home of the instance "${badId}" cannot be used: `);
  expect(`${error?.message}${error?.hint}${messageOf(error?.cause)}`).not.toContain(secret);
}

/** A local provider with two whole instances, stopped. */
export async function localWorld() {
  const root = fs.mkdtempSync(path.join(tmpdir(), 'remote-swarm-reserved-'));
  const directory = path.join(root, 'instances');
  fs.mkdirSync(directory);
  const folders = new InstanceFolders(directory, new LinuxProcesses(testMachine));
  for (const id of [badId, goodId]) {
    const spec = newSpec(swarmId, { name: id, env: { KEY: 'plain' }, secretEnv: ['TOKEN'] }, { TOKEN: secret });
    const { layout } = await folders.make({ ...spec, identity: { ...spec.identity, id } });
    fs.writeFileSync(path.join(layout.workspace, 'work'), 'uncommitted');
  }
  const { reserved } = instanceLayout(path.join(directory, `${badId}--owner`));
  const provider = await ProviderFactory.createProvider(
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
  return { root, reserved, folders, provider: loneProvider(provider) };
}

/** One for all: whatever is read there leaves it as it was, which each reading shows. */
let shared: ReturnType<typeof localWorld> | undefined;
let whole: Record<string, Buffer> = {};
afterAll(async () => shared && fs.rmSync((await shared).root, { recursive: true, force: true }));

/** The world, with these files in the reserved folder of the instance that is damaged. */
async function damaged(files: Readonly<Record<string, Buffer>>) {
  shared ??= localWorld();
  const world = await shared;
  const names = ['instance.json', 'environment.json', 'token', 'process.json', 'exit.json'];
  const fileOf = (name: string) => path.join(world.reserved, name);
  if (Object.keys(whole).length === 0) {
    const present = names.filter(name => fs.existsSync(fileOf(name)));
    whole = Object.fromEntries(present.map(name => [name, fs.readFileSync(fileOf(name))]));
  }
  for (const name of names) fs.rmSync(fileOf(name), { force: true });
  for (const [name, bytes] of Object.entries({ ...whole, ...files })) fs.writeFileSync(fileOf(name), bytes);
  return { ...world, before: filesBelow(world.root) };
}

/** The instance beside the damaged one is there, whole, and can be used. */
async function expectGoodInstance(provider: LoneProvider): Promise<InstanceObservation[]> {
  const seen = await provider.abilities.observe();
  expect(seen).toContainEqual(expect.objectContaining({ id: goodId, swarmId, status: 'stopped' }));
  expect(await provider.listInstances()).toContainEqual(expect.objectContaining({ id: goodId, providerId: 'here' }));
  expect(await provider.getInstance(goodId)).toMatchObject({ config: { env: { KEY: 'plain' } }, status: 'stopped' });
  expect(await refusal(provider.startInstance(goodId))).toMatchObject({ code: 'editor-server-invalid' });
  expect(await provider.abilities.readToken(goodId)).toMatch(/^[0-9a-f]{32}$/);
  return seen;
}

async function readLocalMark(bytes: Buffer): Promise<Outcome> {
  const { root, provider, before } = await damaged({ 'instance.json': bytes });
  const seen = await expectGoodInstance(provider);
  const value = await provider.getInstance(badId).catch(() => undefined);
  if (value) {
    return { value: { identity: identityOf(value), config: value.config }, said: undefined };
  }
  const calls = [
    provider.getInstance(badId),
    provider.startInstance(badId),
    provider.stopInstance(badId, true),
    provider.updateInstance(badId, { name: 'other' }),
    provider.deleteInstance(badId),
    provider.createInstance({ ...newSpec(swarmId), identity: sampleMark.identity }),
    provider.executeCommand(badId, 'true'),
    provider.abilities.trashInstance(badId),
    provider.abilities.restoreInstance(badId),
    provider.abilities.readToken(badId),
  ];
  const errors = await Promise.all(calls.map(refusal));
  for (const error of errors) expectUnreadable(error, 'reserved/instance.json');
  // Whose it is cannot be known: it is nobody's, and is shown with what is wrong.
  const row = seen.find(({ id }) => id === badId);
  expect(row).toMatchObject({ swarmId: '', role: 'owner', status: 'failed', detail: errors[0]?.message });
  expect(filesBelow(root)).toEqual(before);
  return { value: undefined, said: errors[0]?.message };
}

/** No process can be started with one in its environment. */
const expectNoNul = (variables: Readonly<Record<string, string>>) =>
  expect(Object.values(variables).filter(value => value.includes('\0'))).toEqual([]);

async function readLocalVariables(bytes: Buffer): Promise<Outcome> {
  const { root, folders, provider, before } = await damaged({ 'environment.json': bytes });
  await expectGoodInstance(provider);
  const folder = await folders.find(badId);
  const value = folder && (await folders.variables(folder).catch(() => undefined));
  const started = await refusal(provider.startInstance(badId));
  if (value) {
    expect(started).toMatchObject({ code: 'editor-server-invalid' });
    expectNoNul(value);
    return { value, said: undefined };
  }
  const updated = await refusal(provider.updateInstance(badId, { env: { KEY: 'new' } }, undefined, { TOKEN: secret }));
  for (const error of [started, updated]) expectUnreadable(error, 'reserved/environment.json');
  expect(await provider.getInstance(badId)).toMatchObject({ status: 'stopped', config: { env: { KEY: 'plain' } } });
  expect(filesBelow(root)).toEqual(before);
  return { value: undefined, said: started?.message };
}

async function readLocalToken(bytes: Buffer): Promise<Outcome> {
  const { root, provider, before } = await damaged({ token: bytes });
  await expectGoodInstance(provider);
  const value = await provider.abilities.readToken(badId).catch(() => undefined);
  if (value !== undefined) return { value, said: undefined };
  const calls = [provider.abilities.readToken(badId), provider.getInstanceLogs(badId), provider.startInstance(badId)];
  const errors = await Promise.all(calls.map(refusal));
  for (const error of errors) expectUnreadable(error, 'reserved/token');
  expect(filesBelow(root)).toEqual(before);
  return { value: undefined, said: errors[0]?.message };
}

const deadServer = {
  ...{ pid: 4_194_999, startTime: 'long ago', place: testMachine },
  ...{ logOffset: 0, port: 8080, answered: true },
};

async function readProcessMark(bytes: Buffer): Promise<Outcome> {
  const { root, provider, before } = await damaged({ 'process.json': bytes });
  await expectGoodInstance(provider);
  const { status, detail, elsewhere } = (await provider.getInstance(badId)) ?? {};
  expect(status).toBe(elsewhere === undefined ? 'stopped' : 'unknown');
  expect(filesBelow(root)).toEqual(before);
  if (elsewhere !== undefined || detail === 'its editor server ended unexpectedly')
    return { value: JSON.parse(bytes.toString()), said: undefined };
  return { value: undefined, said: detail };
}

async function readServerExit(bytes: Buffer): Promise<Outcome> {
  const mark = Buffer.from(JSON.stringify(deadServer));
  const { root, provider, before } = await damaged({ 'process.json': mark, 'exit.json': bytes });
  await expectGoodInstance(provider);
  const { status, detail } = (await provider.getInstance(badId)) ?? {};
  expect(status).toBe('stopped');
  expect(filesBelow(root)).toEqual(before);
  return { value: detail?.includes('exit code') ? JSON.parse(bytes.toString()) : undefined, said: detail };
}

/** A container whose archives hold the bytes, whatever file is asked for. */
export function dockerWorld(bytes: Buffer) {
  const reads: string[] = [];
  const container = {
    getArchive: async ({ path: file }: { path: string }) => {
      reads.push(file);
      // As the engine sends it: of bytes that are no text too.
      const archive = await archiveOf([{ name: path.basename(file), mode: 0o600, text: '?'.repeat(bytes.length) }]);
      bytes.copy(archive, 512);
      const pieces = Array.from({ length: Math.ceil(archive.length / 65_536) }, (_, index) => index * 65_536);
      return Readable.from(pieces.map(from => archive.subarray(from, from + 65_536)));
    },
  };
  const engine = {
    call: async (_doing: string, ctx: typeof quietContext, work: CallableFunction) =>
      work({ getContainer: () => container }, ctx.signal),
  };
  return { files: new ReservedFiles(engine as unknown as DockerEngine), reads };
}

export const dockerContainer: InstanceContainer = {
  ...{ id: badId, swarmId, epoch: 4, role: 'owner', status: 'running', createdAt: wholeRecord.createdAt },
  ...{
    containerId: 'c1',
    name: `remote-swarm-${badId}--owner`,
    pinnedImage: 'i',
    state: 'running',
    replaced: false,
    untold: false,
  },
};

async function readDockerMark(bytes: Buffer): Promise<Outcome> {
  const { files } = dockerWorld(bytes);
  const reader = new InstanceReader('engine', { causeOf: async () => undefined }, files);
  // Its labels say whose it is, so that it can be shown, stopped and deleted; only its record is not written anew.
  const shown = await reader.read(dockerContainer, quietContext);
  expect(shown).toMatchObject({ id: badId, swarmId, epoch: 4, status: 'running' });
  expect(await reader.readAll([dockerContainer], quietContext)).toEqual([shown]);
  const error = await refusal(reader.readWhole(dockerContainer, quietContext));
  if (!error) return { value: await files.readMark(dockerContainer, quietContext), said: undefined };
  expectUnreadable(error, 'reserved/instance.json');
  expect(shown).toMatchObject({ detail: error.message, config: { name: badId } });
  return { value: undefined, said: error.message };
}

async function readDockerVariables(bytes: Buffer): Promise<Outcome> {
  const { files } = dockerWorld(bytes);
  const error = await refusal(files.readVariables(dockerContainer, quietContext));
  if (!error) {
    const value = await files.readVariables(dockerContainer, quietContext);
    expectNoNul(value);
    return { value, said: undefined };
  }
  expectUnreadable(error, 'reserved/environment.json');
  return { value: undefined, said: error.message };
}

async function readDockerToken(bytes: Buffer): Promise<Outcome> {
  const { files } = dockerWorld(bytes);
  const error = await refusal(files.readToken(dockerContainer, quietContext));
  if (!error) return { value: await files.readToken(dockerContainer, quietContext), said: undefined };
  expectUnreadable(error, 'reserved/token');
  return { value: undefined, said: error.message };
}

const mark = { schema: InstanceMark, sample: sampleMark, namesFields: true, free: freeOfMark };
const variables = {
  schema: InstanceVariables,
  sample: sampleVariables,
  namesFields: true,
  free: freeOfVariables,
};

/** Every file beside a home that holds a value. */
export const reservedPlaces: readonly FilePlace[] = [
  { file: '<local>/reserved/instance.json', ...mark, read: readLocalMark },
  { file: '<local>/reserved/environment.json', ...variables, read: readLocalVariables },
  {
    file: '<local>/reserved/process.json',
    schema: ServerMark,
    ignoresOthers: true,
    sample: deadServer,
    namesFields: false,
    free: {
      ...{ pid: ['large'], logOffset: ['large'], startTime: ['control', 'dots', 'unicode', 'large'] },
      'place.host': ['dots'],
    },
    read: readProcessMark,
  },
  {
    file: '<local>/reserved/exit.json',
    schema: ServerExit,
    ignoresOthers: true,
    sample: { pid: deadServer.pid, startTime: deadServer.startTime, exitCode: 3 },
    namesFields: false,
    free: { exitCode: ['large'] },
    read: readServerExit,
  },
  { file: '<docker>/reserved/instance.json', ...mark, read: readDockerMark },
  { file: '<docker>/reserved/environment.json', ...variables, read: readDockerVariables },
];

/** Every file beside a home that holds a text alone. */
export const tokenPlaces = [
  { file: '<local>/reserved/token', schema: Token, read: readLocalToken },
  { file: '<docker>/reserved/token', schema: Token, read: readDockerToken },
] as const;
