import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { type SetupSources, setUpWorkspace } from '../../../src/core/workspaceSetup.ts';
import { InstanceConfig, type InstanceConfigInput, type InstanceRecord } from '../../../src/model/instance.ts';
import { surveyFolder } from '../../../src/storage/folderSurvey.ts';
import { packFolder } from '../../../src/storage/packFolder.ts';
import { newSpec } from '../../contract/specs.ts';
import { GitServer, type GitServerOptions } from '../../fakes/gitServer.ts';
import { loneContext } from '../../fakes/loneProvider.ts';
import { MemoryPlace } from '../../fakes/memoryPlace.ts';
import { MemoryProvider } from '../../fakes/memoryProvider.ts';

const id = 'k3x9q2m7w1ab';
const identity = ['-c', 'user.name=a', '-c', 'user.email=a@b', '-c', 'init.defaultBranch=main'];

/** A person's folders and servers, and a fresh instance whose first set-up takes one of them. */
export class SourceBench {
  readonly root = mkdtempSync(path.join(tmpdir(), 'sources-'));
  readonly #place = new MemoryPlace({ homes: path.join(this.root, 'homes') });
  readonly #provider = new MemoryProvider(this.#place);
  readonly #servers: GitServer[] = [];
  readonly asked: string[] = [];
  /** What the person's account opens everything with. */
  token: string | undefined;

  /** Runs `use` with a bench of its own. */
  static async with<T>(use: (bench: SourceBench) => Promise<T> | T): Promise<T> {
    const bench = new SourceBench();
    try {
      const { identity: made, ...spec } = newSpec('a'.repeat(16), { name: 'one' });
      await bench.#provider.createInstance({ ...spec, identity: { ...made, id } });
      return await use(bench);
    } finally {
      await bench.#place.dispose();
      for (const server of bench.#servers) server.dispose();
      rmSync(bench.root, { recursive: true, force: true });
    }
  }

  at(...names: string[]): string {
    return path.join(this.root, ...names);
  }

  workspace(...names: string[]): string {
    return this.at('homes', id, 'workspace', ...names);
  }

  /** What git says in a folder of the person. */
  git(folder: string, ...args: string[]): string {
    const env = { PATH: process.env.PATH, HOME: this.root, GIT_CONFIG_NOSYSTEM: '1', GIT_ALLOW_PROTOCOL: 'file:http' };
    return execFileSync('git', [...identity, '-C', folder, ...args], {
      ...{ encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] },
    }).trim();
  }

  /** What git says in the instance; its complaint when it fails. */
  inside(...args: string[]): string {
    try {
      return this.git(this.workspace(), ...args);
    } catch (error) {
      return String((error as { stderr?: string }).stderr).trim();
    }
  }

  /** A repository with one commit. */
  repository(...names: string[]): string {
    const folder = this.at(...names);
    mkdirSync(folder, { recursive: true });
    this.git(folder, 'init', '--quiet');
    this.commit(folder, 'first');
    return folder;
  }

  commit(folder: string, text: string): void {
    execFileSync('sh', ['-c', `echo ${text} >"$1/file"`, 'sh', folder]);
    this.git(folder, 'add', '.');
    this.git(folder, 'commit', '--quiet', '-m', text);
  }

  async serve(folder: string, options: GitServerOptions = {}): Promise<GitServer> {
    const server = await GitServer.start(options);
    this.#servers.push(server);
    server.publish(folder);
    return server;
  }

  /** Fills the workspace as a first start does; answers with what is told. */
  async fill(source: InstanceConfigInput['source'], variables: Record<string, string> = {}): Promise<string[]> {
    const instance = this.#place.instances.get(id);
    if (instance) instance.variables = variables;
    const config = InstanceConfig.parse({ name: 'one', source });
    const sources: SetupSources = {
      surveyFolder: (folder, signal) => surveyFolder(folder, [], signal),
      packFolder: (folder, workspace, signal, note) => packFolder(folder, workspace, [], signal, note),
      gitCredential: () => (this.token === undefined ? undefined : { read: async () => this.token }),
    };
    const mayUse = async ({ host }: { host: string }) => this.asked.push(host) > 0;
    const consent = { isLasting: true, mayUse, mayCopy: async () => true };
    const agreed =
      config.source.kind === 'folder' ? sources.surveyFolder(config.source.path, loneContext.signal) : undefined;
    const outside = (await agreed?.catch(() => undefined))?.outside;
    const record = { id, config, ...(outside && { setup: { status: 'pending', outside } }) } as InstanceRecord;
    const { problems } = await setUpWorkspace(this.#provider, record, sources, loneContext, consent);
    return problems.map(text => text.replaceAll(this.root, '').replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, 'http://host'));
  }

  /** Puts a program before all others that the instance has; answers with the variables for that. */
  program(name: string, script: string): Record<string, string> {
    mkdirSync(this.at('bin'), { recursive: true });
    writeFileSync(this.at('bin', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return { PATH: `${this.at('bin')}${path.delimiter}${process.env.PATH}` };
  }

  copy(folder: string): Promise<string[]> {
    return this.fill({ kind: 'folder', path: folder });
  }

  has(...names: string[]): boolean {
    return existsSync(this.workspace(...names));
  }
}
