import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import * as path from 'node:path';

const projectRoot = path.resolve(import.meta.dirname, '../../..');
const init = path.join(import.meta.dirname, 'machineInit.mjs');
const node = path.join(projectRoot, 'node_modules/node/bin/node');
const serverRoot = '/usr/lib/code-server/lib';

/** Where an image has its editor server, and what lies there: by the path inside, the path on this computer. */
export const stubBinds = {
  [`${serverRoot}/node`]: node,
  [`${serverRoot}/vscode/out/server-main.js`]: path.join(projectRoot, 'test/engine/support/stubServer.mjs'),
};
export const bindsOf = (editor: { node: string; serverMain: string }) => ({
  [`${serverRoot}/node`]: editor.node,
  [`${serverRoot}/vscode`]: path.resolve(editor.serverMain, '../..'),
});

/** For `unshare`. Whoever is not root is root in the machine, where no other user is known. */
export const machineSpaces = [
  ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']),
  ...['--mount', '--pid', '--net', '--fork', '--kill-child', '--'],
];

export interface MachinePlan {
  readonly folder: string;
  readonly volume: string;
  readonly mountPath: string;
  readonly exec: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly { path: string; content: string; mode: number }[];
  readonly port: number;
  readonly binds: Readonly<Record<string, string>>;
}

/** What really runs behind a machine of the stand-in. */
export class MachineProcess {
  readonly #plan: MachinePlan;
  readonly #server: Server;
  readonly #child: ChildProcess;
  #init: Socket | undefined;
  #over = false;

  /** `onExit` is called once, when nothing of it runs any more, unless it was killed. */
  constructor(
    plan: MachinePlan,
    onLine: (line: string) => void,
    onStarted: () => void,
    onExit: (code: number) => void,
  ) {
    this.#plan = plan;
    rmSync(plan.folder, { recursive: true, force: true });
    mkdirSync(plan.folder, { recursive: true });
    mkdirSync(plan.volume, { recursive: true });
    writeFileSync(path.join(plan.folder, 'plan.json'), JSON.stringify(plan));
    let exitCode = 1;
    this.#server = createServer(socket => {
      this.#init = socket;
      let rest = '';
      socket.setEncoding('utf8').on('data', text => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const message = JSON.parse(line) as { started?: true; line?: string; exit?: number };
          if (message.started) onStarted();
          if (message.line !== undefined) onLine(message.line);
          if (message.exit === undefined) continue;
          exitCode = message.exit;
          this.#child.kill('SIGKILL');
        }
      });
      socket.on('error', () => {});
    });
    this.#server.listen(path.join(plan.folder, 'cloud.sock'));
    // A shell reaps what loses its parent, as the init of a machine does.
    const script = '"$@" & wait $!';
    this.#child = spawn(
      'unshare',
      [...machineSpaces, 'sh', '-c', script, 'sh', node, init, path.join(plan.folder, 'plan.json')],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.#child.stderr?.setEncoding('utf8').on('data', text => onLine(text.trim()));
    this.#child.on('exit', () => {
      this.#server.close();
      this.#init?.destroy();
      if (!this.#over) onExit(exitCode);
      this.#over = true;
    });
  }

  signal(name: string): void {
    this.#init?.write(`${name}\n`);
  }

  /** Of its editor server alone. */
  signalServer(name: NodeJS.Signals): void {
    this.signal(`server ${name}`);
  }

  /** Ends all of it at once, and tells nobody. */
  async kill(): Promise<void> {
    const wasOver = this.#over;
    this.#over = true;
    if (wasOver) return;
    const exited = new Promise(resolve => this.#child.on('exit', resolve));
    this.#child.kill('SIGKILL');
    await exited;
  }

  /** A connection to the port that its service names. */
  reach(): Socket {
    return connect({ path: path.join(this.#plan.folder, 'edge.sock'), allowHalfOpen: true });
  }
}
