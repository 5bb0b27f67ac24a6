import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { completedDocument } from '../../../scripts/flyApi.ts';

const binaries = path.resolve(import.meta.dirname, '../../../node_modules');

/** Prism in front of the stand-in: it lets pass what Fly's own document allows, both ways, and tells what else came. */
export interface SpecGuard {
  readonly url: string;
  /** What was not as the document says, one line each. */
  violations(): string[];
  close(): Promise<void>;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise(resolve => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

export async function startSpecGuard(upstream: string): Promise<SpecGuard> {
  const folder = mkdtempSync(path.join(tmpdir(), 'remote-swarm-prism-'));
  const file = path.join(folder, 'machines.json');
  writeFileSync(file, JSON.stringify(completedDocument()));
  const port = await freePort();
  const program = path.join(binaries, '@stoplight/prism-cli/dist/index.js');
  const child = spawn(
    path.join(binaries, 'node/bin/node'),
    [program, 'proxy', '-h', '127.0.0.1', '-p', String(port), '--errors', file, upstream],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } },
  );
  let said = '';
  const exited = new Promise<void>(resolve => child.on('exit', () => resolve()));
  const ready = new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        said += text;
        if (/Prism is listening/.test(said)) resolve();
      });
    }
    child.on('exit', () => reject(new Error(`Prism ended: ${said}`)));
  });
  await ready;
  return {
    url: `http://127.0.0.1:${port}`,
    violations: () => said.split('\n').filter(line => /prism\/errors#(?!UNKNOWN)|violation/i.test(line)),
    close: async () => {
      child.kill();
      await exited;
      rmSync(folder, { recursive: true });
    },
  };
}
