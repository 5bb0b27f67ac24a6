import { randomBytes } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { EditorHost } from '../../../scripts/editorHost.ts';
import {
  endProcess,
  hostLayout,
  installExtension,
  prepareHost,
  startEditorHost,
  writeSettings,
} from '../../../scripts/editorHost.ts';
import { instanceVariable } from '../../../src/providers/local/instanceEnvironment.ts';

/** Settings of every test: nothing that moves, phones home, or asks. */
const quietSettings = {
  'workbench.startupEditor': 'none',
  'workbench.colorTheme': 'Dark Modern',
  'workbench.reduceMotion': 'on',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'window.commandCenter': false,
  'chat.disableAIFeatures': true,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'security.workspace.trust.enabled': false,
  'git.enabled': false,
};

export interface WorkbenchServerOptions {
  /** Added to (and over) the quiet ones. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Folders of further extensions; ours is always there. */
  readonly extensions?: readonly string[];
  /** Added to the environment of the server and its extension hosts. */
  readonly env?: Readonly<Record<string, string>>;
  /** Lets a page name an extension and a suite that its extension host shall run. */
  readonly smokeTestDriver?: boolean;
}

/**
 * A real VS Code server with a fresh profile in a folder of its own, and our extension in it. It runs until `stop`, and
 * can be started again on the same port, where a browser finds its state again.
 */
export class WorkbenchServer {
  /** Everything of this server lies below: profile, extensions, the opened folder, local instances. */
  readonly directory: string;
  /** The folder that is opened. */
  readonly folder: string;
  /** Where the extension keeps its state when no setting says otherwise. */
  readonly storage: string;
  readonly #data: string;
  readonly #token = randomBytes(16).toString('hex');
  readonly #env: NodeJS.ProcessEnv;
  readonly #smokeTestDriver: boolean;
  #settings: Readonly<Record<string, unknown>> = quietSettings;
  #host: EditorHost | undefined;
  #port = 0;
  #url = '';

  private constructor(directory: string, { env = {}, smokeTestDriver = false }: WorkbenchServerOptions) {
    this.#smokeTestDriver = smokeTestDriver;
    this.directory = directory;
    this.folder = path.join(directory, 'folder');
    this.#data = path.join(directory, 'host');
    this.storage = hostLayout(this.#data).storage;
    this.#env = { ...cleanEnvironment(), HOME: path.join(directory, 'user'), ...env };
  }

  static async start(options: WorkbenchServerOptions = {}): Promise<WorkbenchServer> {
    const directory = await mkdtemp(path.join(tmpdir(), 'remote-swarm-workbench-'));
    const server = new WorkbenchServer(directory, options);
    for (const folder of [server.folder, path.join(directory, 'user')]) await mkdir(folder);
    await prepareHost(server.#data);
    await installExtension(server.#data);
    for (const source of options.extensions ?? []) {
      const { publisher, name, version } = JSON.parse(await readFile(path.join(source, 'package.json'), 'utf8'));
      const target = path.join(hostLayout(server.#data).extensions, `${publisher}.${name}-${version}`);
      await cp(source, target, { recursive: true });
    }
    await server.configure(options.settings ?? {});
    await server.startAgain();
    return server;
  }

  /** Opens the folder with nothing to type. */
  get url(): string {
    return this.#url;
  }

  /** Changes user settings; windows that are loaded afterwards have them. Undefined takes a setting back. */
  async configure(changes: Readonly<Record<string, unknown>>): Promise<void> {
    this.#settings = { ...this.#settings, ...changes };
    await writeSettings(this.#data, this.#settings);
  }

  /** Starts the server on the port it had before, or on a free one. */
  async startAgain(): Promise<void> {
    this.#host = await startEditorHost({
      directory: this.#data,
      folder: this.folder,
      token: this.#token,
      port: this.#port,
      env: this.#env,
      graceSeconds: 5,
      smokeTestDriver: this.#smokeTestDriver,
    });
    this.#port = this.#host.port;
    this.#url = this.#host.url;
  }

  /** Ends the server and its extension hosts; local instances go on running. */
  async stop(): Promise<void> {
    if (this.#host) await endProcess(this.#host.process);
    this.#host = undefined;
  }

  /** The swarm that the extension here has made; undefined before it was looked at. */
  async swarmId(): Promise<string | undefined> {
    const text = await readFile(path.join(this.storage, 'swarm.json'), 'utf8').catch(() => '{}');
    return JSON.parse(text).swarmId;
  }

  /** Process ids of the extension hosts that run now. */
  extensionHosts(): number[] {
    const parent = String(this.#host?.process.pid);
    return processes().flatMap(({ pid, ppid, argv }) =>
      ppid === parent && argv.includes('--type=extensionHost') ? [pid] : [],
    );
  }

  /** Ends it, and every local instance that a failed test left, and removes everything it had. */
  async dispose(): Promise<void> {
    await this.stop();
    // An instance's extension hosts name no folder of it among their arguments.
    for (const { pid, environment } of processes()) {
      if (environment.some(variable => variable.startsWith(`${instanceVariable}=${this.directory}/`)))
        process.kill(pid, 'SIGKILL');
    }
    await rm(this.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

/** The processes of this machine, as far as /proc shows them. */
function processes(): { pid: number; ppid: string; argv: string[]; environment: string[] }[] {
  return globSync('/proc/[0-9]*').flatMap(folder => {
    const read = (file: string) => readFileSync(path.join(folder, file), 'utf8');
    try {
      const ppid = /^PPid:\s*(\d+)/m.exec(read('status'))?.[1] ?? '';
      const [argv, environment] = [read('cmdline').split('\0'), read('environ').split('\0')];
      return [{ pid: Number(path.basename(folder)), ppid, argv, environment }];
    } catch {
      return []; // It has ended meanwhile.
    }
  });
}

/** The environment of a user's shell: nothing of a surrounding editor, of vitest or of npm. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(VSCODE_|ELECTRON_|VITEST|NODE_|npm_|CI$|DOCKER_)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}
