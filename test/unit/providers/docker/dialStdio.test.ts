import fs from 'node:fs';
import http from 'node:http';
import * as path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test, vi } from 'vitest';
import { DialAgent } from '../../../../src/providers/docker/dialStdio.ts';
import { scratchDirectory } from '../../storage/scratch.ts';

afterEach(() => void vi.unstubAllEnvs());

/** A way to an engine that answers each request with its name, and the pids of those that are open. */
function engine(): { readonly open: () => number[] } {
  const directory = scratchDirectory();
  const pids = path.join(directory, 'pids');
  const answer = String.raw`printf 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nengine'`;
  const lines = [
    '#!/bin/sh',
    `echo $$ >> '${pids}'`,
    'while read -r line; do',
    `[ \${#line} -le 1 ] && ${answer}`,
    'done',
  ];
  fs.writeFileSync(path.join(directory, 'ssh'), `${lines.join('\n')}\n`, { mode: 0o755 });
  vi.stubEnv('PATH', `${directory}${path.delimiter}${process.env.PATH}`);
  const isOpen = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  return { open: () => fs.readFileSync(pids, 'utf8').trim().split('\n').map(Number).filter(isOpen) };
}

const ask = (agent: http.Agent) =>
  new Promise<string>((resolve, reject) => {
    http.get({ agent, host: 'engine' }, answer => text(answer).then(resolve, reject)).on('error', reject);
  });

test('of many questions at once a few connections stay open, which the next ones use', async () => {
  const { open } = engine();
  const agent = new DialAgent('far', { target: { host: 'far' } }, 'none');
  try {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(agent)));
    expect(answers).toEqual(answers.map(() => 'engine'));
    await vi.waitFor(() => expect(open().length).toBeLessThanOrEqual(2));
    const before = open();
    await ask(agent);
    expect(open()).toEqual(before);
  } finally {
    agent.destroy();
  }
  await vi.waitFor(() => expect(open()).toEqual([]));
});
