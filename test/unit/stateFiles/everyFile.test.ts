import { globSync, readFileSync } from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { reservedPlaces, tokenPlaces } from './reservedPlaces.ts';
import { statePlaces } from './statePlaces.ts';

const root = path.resolve(import.meta.dirname, '../../..');
/** What is only ever compared; `lockFiles.test.ts` fills it with anything. */
const lock = '<state>/locks/<key>.lock';
const tested = [...statePlaces, ...reservedPlaces, ...tokenPlaces].map(({ file }) => file).concat(lock);

/**
 * Whatever makes something to believe of the content of a file or of a text from elsewhere: a read, `JSON.parse`, a
 * folder of records by its schema, and a schema's verdict.
 */
const judging =
  /(?<!\w)(readFile|readFileSync|createReadStream|(?<=await )open)\((?!file: string)|\b(JSON\.parse)\(|\.(getArchive)\(|new JsonFileStore\([^;]*?,\s*(\w+),\s*\d|\b(?!Date|Uri)([A-Z]\w*)\.(?:safeParse|parse)\(/g;

const records = [
  '<state>/instances/<id>.json',
  '<state>/health/<id>.json',
  '<state>/providers/<id>.json',
  '<state>/migrations/<id>.json',
  '<state>/snapshots/<id>.json',
  '<state>/agent-destroys/agent.json',
  '<state>/observed-time/observed.json',
];
const both = (name: string) => [`<local>/reserved/${name}`, `<docker>/reserved/${name}`];
const marks = [...both('instance.json'), ...both('environment.json'), ...both('token')];

/** Of every source that judges: what it does, in the order of names, and which files of ours that reads, or what else. */
const readers: Readonly<Record<string, readonly [calls: string, files: readonly string[] | string]>> = {
  'src/swarm.ts': [
    'DestroyBudget InstanceHealth InstanceRecord Migration ObservedTimeRecord ProviderRecord SnapshotRecord',
    records,
  ],
  'src/storage/jsonFileStore.ts': ['readFile readFileSync', records],
  'src/storage/parseRecord.ts': ['JSON.parse', records],
  'src/storage/swarmIdentity.ts': ['JSON.parse SwarmFile readFile', ['<state>/swarm.json']],
  'src/storage/fileStateClaim.ts': [
    'ClaimFile JSON.parse readFileSync',
    'the claim of a machine, in fileStateClaim.test.ts: what is none is as another one’s',
  ],
  'src/storage/appendLog.ts': ['open readFile', ['<state>/audit/<day>-<writer>.jsonl']],
  'src/core/auditLog.ts': ['AuditEntry Heads JSON.parse', ['<state>/audit/<day>-<writer>.jsonl']],
  'src/providers/docker/containerHome.ts': [
    'readFileSync',
    'the record beside a home, in its own container: what does not name the instance ends the look',
  ],
  'src/storage/lockFile.ts': ['readFileSync readFileSync', [lock]],
  'src/storage/leaderLease.ts': ['readFile', 'a number; what is none counts as zero'],
  'src/storage/moveMarker.ts': [
    'JSON.parse MoveMarker readFileSync',
    'where a state comes from, written by ourselves; what is none stops the opening',
  ],
  'src/storage/thisMachine.ts': ['readFile', 'what the system says of itself, in thisMachine.test.ts'],
  'src/storage/replaceFile.ts': ['open open', 'only writes'],
  'src/storage/fileHomeArchive.ts': ['Ending Hole JSON.parse LargeHole Received Sum', 'what a home’s program says'],
  'src/storage/keptContent.ts': [
    'JSON.parse LargeHole createReadStream readFile',
    'homes that were kept: what is another than its hash says is refused',
  ],
  'src/storage/packedFile.ts': ['open', 'only writes'],
  'src/storage/ownEntries.ts': ['createReadStream', 'files of a person, byte for byte'],
  'src/storage/repositoryFiles.ts': ['readFile', 'pointers of git, whatever is in them, in ownRepositories.test.ts'],
  'src/model/homeEntries.ts': ['HomeEntry JSON.parse', 'what a program beside a home writes'],
  'src/providers/reservedFile.ts': ['JSON.parse Token', marks],
  'src/providers/local/instanceFolders.ts': [
    'JSON.parse Roles Roles readFile',
    [
      ...marks.filter(file => file.startsWith('<local>')),
      '<local>/reserved/process.json',
      '<local>/reserved/exit.json',
    ],
  ],
  'src/providers/local/serverProcess.ts': [
    'JSON.parse ServerExit ServerMark ServerMark ServerMark',
    ['<local>/reserved/process.json', '<local>/reserved/exit.json'],
  ],
  'src/providers/local/fileRevision.ts': ['readFileSync', 'a file that is only compared with what was read before'],
  'src/providers/docker/registryCredentials.ts': [
    'DockerConfigFile HelperAnswer JSON.parse JSON.parse readFile',
    "a person's own file of the docker command line, in registryCredentials.test.ts: what can't be read tells of none",
  ],
  'src/providers/docker/reservedFiles.ts': ['getArchive', marks.filter(file => file.startsWith('<docker>'))],
  'media/instance/launcher.mjs': [
    'JSON.parse readFileSync readFileSync',
    [...both('environment.json'), ...both('token')],
  ],

  'src/providers/local/plainFile.ts': ['open', 'opens and reads nothing: the log of a server, and what others read'],
  'src/providers/installedMark.ts': [
    'InstalledMark JSON.parse readFile',
    'the mark of an installed editor server: what cannot be read is no installation, and is made anew',
  ],
  'src/providers/local/editorServerLocator.ts': ['readFile', 'a script on the PATH, for the name in it'],
  'src/providers/local/linuxProcesses.ts': ['readFile readFile', 'what the kernel says'],
  'src/providers/docker/containerDisks.ts': ['FileSystemFacts JSON.parse', 'what a program inside a container prints'],
  'src/providers/docker/containerExec.ts': ['readFileSync', 'what the kernel says inside a container'],
  'src/providers/docker/dockerEngine.ts': ['readFile', 'the files of the docker command line'],
  'src/providers/docker/openPorts.ts': ['readFileSync', 'what the kernel says inside a container'],
  'src/providers/docker/dockerEndpoint.ts': [
    'JSON.parse readFile readFile readFile readFile',
    'the files of the docker command line',
  ],
  'src/providers/docker/dockerProxies.ts': [
    'DockerConfigFile JSON.parse readFile',
    "a person's own file of the docker command line, in webProxies.test.ts: what can't be read tells of none",
  ],
  'src/providers/webProxies.ts': ['readFile', 'the certificates that a person adds for Node'],
  'src/providers/docker/dockerProvider.ts': ['readFile readFile readFile', 'programs of this extension'],
  'src/providers/docker/images.ts': ['AccountFiles JSON.parse', 'what our program prints in an image'],
  'src/providers/docker/unfitImage.ts': ['readFileSync', 'the accounts of an image'],
  'src/providers/fly/flyAbilities.ts': ['readFileSync', 'what the kernel says inside a machine'],
  'src/providers/fly/flyLogs.ts': ['LogPage', 'what Fly.io says'],
  'src/providers/fly/instanceMachine.ts': ['InstanceId InstanceId InstanceRole PinnedImage', 'what Fly.io says'],
  'src/providers/fly/machineInstance.ts': [
    'InstanceConfig InstanceConfig JSON.parse',
    'what is noted on a machine, in flyRules.test.ts',
  ],
  'src/providers/fly/machineMaker.ts': ['open readFile', 'programs of this extension'],
  'src/providers/fly/machineStats.ts': [
    'JSON.parse Measured readFileSync readFileSync',
    'what a program inside a machine prints',
  ],
  'media/instance/gate.mjs': [
    'JSON.parse readFileSync readFileSync',
    'what the provider says, and what Fly.io has written',
  ],
  'media/instance/home.mjs': [
    'JSON.parse JSON.parse JSON.parse',
    'what its like at another home says; its record of hashes in homeProgram.test.ts',
  ],
  'src/hostProgram.ts': [
    'HostInput HostRequest JSON.parse JSON.parse',
    'what the extension says to its program on a host',
  ],
  'src/providers/ssh/hostCall.ts': ['HostOutput JSON.parse', 'what our program on a host says'],
  'src/providers/ssh/hostSetup.ts': [
    'JSON.parse JSON.parse JSON.parse ProgramNames createReadStream createReadStream readFile readFile readFileSync readFileSync',
    'programs of this extension and the installed editor server, on their way to a host',
  ],
  'src/core/migration/homeCarrier.ts': ['JSON.parse', 'what a program beside a home says'],
  'src/providers/docker/engineClient.ts': ['JSON.parse', 'what the engine says'],
  'src/providers/docker/engineWatch.ts': ['JSON.parse', 'what the engine says'],
  'src/providers/docker/volumes.ts': ['DiskUse', 'what the engine says'],
  'src/providers/docker/pull.ts': ['JSON.parse PullLine', 'what the engine says'],
  'src/providers/docker/instanceContainer.ts': ['InstanceId PinnedImage Role', 'what the engine says'],
  'src/providers/docker/instanceRecreator.ts': ['readFile', 'the launcher of this extension'],
  'src/providers/docker/instanceReader.ts': ['InstanceConfig', 'a config of nothing but a name'],
  'src/core/admission.ts': ['InstanceConfig NewInstanceName WorkspaceSource', 'what was asked for'],
  'src/core/instanceUpdates.ts': ['InstanceConfig', 'what was asked for'],
  'src/operations/instanceOperations.ts': ['InstanceUpdate', 'what was asked for'],
  'src/operations/operationGate.ts': ['JSON.parse', 'what was asked for, copied'],
  'src/vscode/instanceTemplate.ts': ['JSON.parse', 'what was asked for, in an open document'],
  'src/vscode/commands/providers.ts': ['ProviderId', 'what a person types'],
  'src/vscode/commands/collectDiagnostics.ts': ['readFile', 'our own log, as lines of text'],
  'src/vscode/configFrom.ts': ['ProviderConfig ProviderId ProviderId SwarmConfig', 'the settings'],
  'src/vscode/healthPanel.ts': ['FromPage PageState', 'what the page of the panel says'],
  'src/vscode/noticeBook.ts': ['open', 'only makes a file, once'],
  'src/vscode/providerEntries.ts': ['ProviderConfig ProviderConfig', 'the settings'],
  'src/vscode/instanceSecrets.ts': ['JSON.parse Values', 'the secret storage'],
};

describe('every file that the source reads', () => {
  test('is tested with bad content, or said to be none of ours', () => {
    const found = globSync('{src/**/*.ts,media/instance/*.mjs}', { cwd: root }).flatMap(file => {
      const text = readFileSync(path.join(root, file), 'utf8');
      const calls = [...text.matchAll(judging)].map(match => match.slice(1).find(Boolean));
      return calls.length > 0 ? [[file.replaceAll('\\', '/'), calls.toSorted().join(' ')] as const] : [];
    });
    const known = Object.entries(readers).map(([file, [calls]]) => [file, calls] as const);
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(known));
  });

  test('is read by somebody', () => {
    const read = Object.values(readers).flatMap(([, files]) => (typeof files === 'string' ? [] : files));
    expect([...new Set(read)].toSorted()).toEqual(tested.toSorted());
  });
});
