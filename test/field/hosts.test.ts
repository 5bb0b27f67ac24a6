import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, vi } from 'vitest';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { terminalOutput } from '../contract/terminalOutput.ts';
import { notHere } from '../fakes/notHere.ts';
import { prepareForSsh } from '../ssh/support/sshProviders.ts';
import { fieldSuite } from './fieldSuite.ts';
import { AccountHost, accountHostProblem } from './support/accountHost.ts';
import { hostCases, noForward } from './support/hostCases.ts';

const problem = accountHostProblem();

describe.skipIf(problem !== undefined)(notHere('hosts', problem), () => {
  let host: AccountHost;

  beforeAll(async () => {
    await prepareForSsh();
    host = await AccountHost.start(hostCases);
    // What is brought there is brought once.
    expect(await host.tested('plain')).toBe('can be used');
    host.share('plain', hostCases);
  });
  afterAll(() => host?.stop());

  /** What words of a shell become in an instance: in a command, in a terminal, and whether its page opens. */
  async function seen(name: string, words: string) {
    const provider = host.provider(name);
    try {
      const { id } = await provider.createInstance(newSpec(testSwarmId()));
      const { stdout } = await provider.executeCommand(id, `echo "${words}"`);
      const shown = await terminalOutput(
        await (provider.abilities.terminal?.(id) ?? expect.fail('no terminal')),
        `echo "->"" ${words}"; exit\n`,
      );
      const endpoint = await provider.abilities.connect(id);
      const page = await fetch(`http://127.0.0.1:${endpoint.port}/version`);
      endpoint.dispose();
      await provider.deleteInstance(id);
      const terminal = /-> (.*?)\r?\n/.exec(shown)?.[1];
      const plain = (text = '') => text.trim().replaceAll(id, 'ID');
      return { command: plain(stdout), terminal: plain(terminal), page: page.status };
    } finally {
      await provider.dispose();
    }
  }

  fieldSuite(
    'host or account',
    hostCases.map(({ name, input, report, right }) => ({ input, report, right, found: () => host.tested(name) })),
  );

  const ceiling = (name: string) => `/home/${name}/.remote-swarm/instances/ID--owner`;
  fieldSuite('instance of an account', [
    {
      input: 'tcsh as its shell: where git stops to look for a repository',
      report: 'microsoft/vscode-remote-release#1154',
      right: { command: ceiling('tcsh'), terminal: ceiling('tcsh'), page: 200 },
      found: () => seen('tcsh', '$GIT_CEILING_DIRECTORIES'),
    },
    {
      input: 'AllowTcpForwarding no, of which the window does not know',
      report: 'microsoft/vscode-remote-release#4344',
      right: noForward('notcp'),
      found: async () => {
        const provider = host.provider('notcp');
        const { id } = await provider.createInstance(newSpec(testSwarmId()));
        const said = await provider.abilities.connect(id).then(
          () => 'opens',
          ({ message, hint }) => `${message} ${hint}`,
        );
        await provider.deleteInstance(id);
        await provider.dispose();
        return said;
      },
    },
    {
      input: 'a path of temporary files of 78 characters, here',
      report: 'OpenSCAP/scap-workbench#254',
      right: 'can be used',
      found: async () => {
        const temporary = mkdtempSync(path.join(tmpdir(), `${'x'.repeat(78 - tmpdir().length - 7)}`));
        vi.stubEnv('TMPDIR', temporary);
        try {
          return await host.tested('plain');
        } finally {
          vi.unstubAllEnvs();
          rmSync(temporary, { recursive: true });
        }
      },
    },
  ]);
});
