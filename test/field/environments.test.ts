import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { problemsOf } from '../../src/model/problemsOf.ts';
import { CreateInput } from '../../src/operations/instanceInputs.ts';
import { installEditorServer } from '../../src/providers/editorServerInstaller.ts';
import { LocalProvider } from '../../src/providers/local/localProvider.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { terminalOutput } from '../contract/terminalOutput.ts';
import { testMachine } from '../fakes/testMachine.ts';
import { fieldSuite } from './fieldSuite.ts';

const root = path.resolve(import.meta.dirname, '../..');
const editorServerDirectory = path.join(root, '.runtime', 'editor-server');
const directory = mkdtempSync(path.join(tmpdir(), 'remote-swarm-environments-'));
const outer = process.env.PATH ?? '';
let provider: LocalProvider;

beforeAll(async () => {
  const installed = await installEditorServer(editorServerDirectory);
  if (installed.kind !== 'node') throw new Error('the installed editor server has no node');
  const server = path.join(directory, 'out', 'server-main.js');
  mkdirSync(path.dirname(server));
  cpSync(path.join(root, 'test/engine/support/stubServer.mjs'), server);
  provider = new LocalProvider(
    { id: 'local', type: 'local', directory: path.join(directory, 'instances'), server },
    {
      localDirectory: directory,
      launcher: path.join(root, 'media', 'instance', 'launcher.mjs'),
      editorServerDirectory,
      machine: testMachine,
      readSecret: async () => undefined,
    },
  );
});
afterAll(async () => {
  for (const { id } of (await provider?.listInstances()) ?? []) await provider.deleteInstance(id);
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

type Variables = Readonly<Record<string, string>>;

/** What VALUE, or another variable, is in commands, in a terminal, and for the editor's extensions. */
async function seen(env: Variables, name = 'VALUE', secrets: Record<string, string> = {}) {
  const secretEnv = Object.keys(secrets);
  const { id, port } = await provider.createInstance(newSpec(testSwarmId(), { env: { ...env }, secretEnv }, secrets));
  try {
    const print = `printf '<%s>' "$${name}"`;
    const { stdout } = await provider.executeCommand(id, print);
    const shown = await terminalOutput(await provider.abilities.terminal(id), `${print}\nexit\n`);
    const answer = await fetch(`http://127.0.0.1:${port}/environment`);
    const editor = (await answer.json()) as Record<string, string>;
    return { command: stdout.slice(1, -1), terminal: /<(.*)>/s.exec(shown)?.[1], editor: editor[name] };
  } finally {
    await provider.deleteInstance(id);
  }
}
const same = (value: string) => ({ command: value, terminal: value, editor: value });

/** What is said of variables that are entered. */
function entered(env: Variables): string[] {
  const { error } = CreateInput.safeParse({ name: 'x', env });
  return error ? problemsOf(error) : [];
}
const literal = 'or write \\$ where a dollar sign is meant';

fieldSuite('environment', [
  {
    input: 'a folder before $PATH',
    report: 'microsoft/vscode-remote-release#6903',
    right: { command: `/opt/x:${outer}`, terminal: `/opt/x:${outer}`, editor: expect.stringMatching(/^\/opt\/x:/) },
    found: () => seen({ PATH: '/opt/x:$PATH' }, 'PATH'),
  },
  {
    input: `a folder after \${PATH}`,
    report: 'devcontainers/cli#641',
    right: { command: `${outer}:/opt/x`, terminal: `${outer}:/opt/x`, editor: expect.stringContaining(':/opt/x') },
    found: () => seen({ PATH: `\${PATH}:/opt/x` }, 'PATH'),
  },
  {
    input: 'what a container may have, and else',
    report: 'microsoft/vscode-remote-release#7121',
    right: same('else'),
    found: () => seen({ VALUE: `\${containerEnv:NO_SUCH_VARIABLE:else}` }),
  },
  {
    input: 'a password with a dollar sign',
    report: 'dotenvx/dotenv-expand#101',
    right: same('ab$defgh@jk'),
    found: () => seen({ VALUE: 'ab$defgh@jk' }),
  },
  {
    input: 'a password with two dollar signs',
    report: 'portainer/portainer#12635',
    right: same('pa$$word'),
    found: () => seen({ VALUE: 'pa$$word' }),
  },
  {
    input: 'a secret that looks like a reference',
    report: 'P-Adamiec/Free-Games-Claimer-Remaster#10',
    right: same('m$PATH$wor@d'),
    found: () => seen({}, 'VALUE', { VALUE: 'm$PATH$wor@d' }),
  },
  {
    input: 'a dollar sign that is meant',
    report: 'docker/compose#7606',
    right: same('Pass$HOME1234 $HOME'),
    found: () => seen({ VALUE: 'Pass$HOME1234 \\$HOME' }),
  },
  {
    input: 'a key of several lines',
    report: 'denoland/deploy_feedback#429',
    right: {
      ...same('-----BEGIN-----\nMIIE\n-----END-----\n'),
      terminal: expect.stringMatching(/BEGIN-+\s+MIIE\s+-+END/),
    },
    found: () => seen({ VALUE: '-----BEGIN-----\nMIIE\n-----END-----\n' }),
  },
  {
    input: 'a number sign',
    report: 'wercker/wercker#158',
    right: same('mypass#123'),
    found: () => seen({ VALUE: 'mypass#123' }),
  },
  {
    input: 'OPENSSL_CONF that is no configuration',
    report: 'microsoft/vscode#182211',
    right: { command: '/etc/passwd', terminal: '/etc/passwd', editor: undefined },
    found: () => seen({ OPENSSL_CONF: '/etc/passwd' }, 'OPENSSL_CONF'),
  },
  {
    input: 'nothing that says how text is encoded',
    report: 'sagemathinc/cocalc-docker#7',
    right: same('C.UTF-8'),
    found: () => {
      for (const name of ['LANG', 'LC_ALL', 'LC_CTYPE']) vi.stubEnv(name, undefined);
      return seen({}, 'LANG').finally(() => vi.unstubAllEnvs());
    },
  },
  {
    input: 'a variable of this computer',
    report: 'loft-sh/devpod#1907',
    right: [
      `env.VALUE: must not refer to \${localEnv:…}, which is not known in an instance; write the value itself, ${literal}`,
    ],
    found: () => entered({ VALUE: `\${localEnv:CODE_API_TOKEN}` }),
  },
  {
    input: 'the workspace folder of devcontainer.json',
    report: 'microsoft/vscode-remote-release#10033',
    right: [
      `env.VALUE: must not refer to \${containerWorkspaceFolder}, which is not known in an instance; write $HOME/workspace for its workspace, ${literal}`,
    ],
    found: () => entered({ VALUE: `\${containerWorkspaceFolder}/../build` }),
  },
  {
    input: 'a variable beside it',
    report: 'devcontainers/spec#434',
    right: [
      `env.VALUE: must not refer to "OTHER", another variable of the instance; write its value instead, ${literal}`,
    ],
    found: () => entered({ OTHER: '1', VALUE: '$OTHER' }),
  },
  {
    input: 'NODE_OPTIONS',
    report: 'microsoft/vscode-remote-release#8071',
    right: [
      'env.NODE_OPTIONS: its name is reserved for the editor server; choose another name, or set it in the instance, as in ~/.bashrc',
    ],
    found: () => entered({ NODE_OPTIONS: '--foobar' }),
  },
]);
