import { access, appendFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import * as path from 'node:path';
import { describe, expect, vi } from 'vitest';
import { instanceLayout } from '../../src/providers/editorServer.ts';
import { notHere } from '../fakes/notHere.ts';
import { sshHostProblem } from '../ssh/support/sshHost.ts';
import { prepareForSsh, sshProvider, startPreparedHost, useSsh } from '../ssh/support/sshProviders.ts';
import { describeProviderContract } from './providerContract.ts';
import { later } from './specs.ts';

const problem = sshHostProblem();

describe.skipIf(problem !== undefined)(notHere('over ssh', problem), () => {
  describeProviderContract('the ssh provider', async () => {
    await prepareForSsh();
    const host = await startPreparedHost('ct');
    const restorePath = useSsh(host.path);
    const directory = path.join(host.home, '.remote-swarm', 'instances');
    const makeProvider = async () => sshProvider(host);
    const layouts = async (id: string) =>
      (await readdir(directory).catch(() => []))
        .filter(name => name.startsWith(id))
        .map(name => instanceLayout(path.join(directory, name)));
    const processes = () =>
      host.run('sh', '-c', 'for p in /proc/[0-9]*; do tr "\\0" " " < $p/cmdline; echo; done 2>/dev/null; true');
    const processesNaming = (text: string) =>
      processes()
        .split('\n')
        .filter(line => line.includes(text));
    const crash = async (id: string) => {
      const [layout] = await layouts(id);
      const { pid } = JSON.parse(await readFile(path.join(layout?.reserved ?? '', 'process.json'), 'utf8'));
      host.run('kill', '-9', String(pid));
      await vi.waitFor(() => expect(processesNaming(`${id}--owner/reserved`)).toEqual([]));
    };
    const loseServer = async (id: string) => {
      const [layout] = await layouts(id);
      const isMarked = await access(path.join(layout?.reserved ?? '', 'process.json')).then(
        () => true,
        () => false,
      );
      if (isMarked) await crash(id);
      for (const file of ['process.json', 'exit.json', 'server.log', 'editor']) {
        await rm(path.join(layout?.reserved ?? '', file), { force: true });
      }
    };
    return {
      makeProvider,
      world: {
        exists: async id => (await layouts(id)).length > 0 || processesNaming(id).length > 0,
        readHome: async (id, file) => {
          const [layout] = await layouts(id);
          return layout && (await readFile(path.join(layout.home, file), 'utf8').catch(() => undefined));
        },
        noteLater: async id => {
          const [layout] = await layouts(id);
          const file = layout?.record ?? '';
          const before = await readFile(file);
          await writeFile(file, later);
          return {
            isKept: async () => (await readFile(file, 'utf8')) === later,
            undo: () => writeFile(file, before),
          };
        },
        publicText: async id => {
          const [layout] = await layouts(id);
          const files = layout ? [layout.record, path.join(layout.reserved, 'server.log')] : [];
          const texts = await Promise.all(files.map(file => readFile(file, 'utf8')));
          return [...texts, processes()].join('\n');
        },
        plantForeign: async () => {
          const names = ['instances/abcdefabcdef--owner/home/file', 'instances/.hidden/file', 'notes.txt'];
          const files = names.map(name => path.join(directory, '..', name));
          for (const file of files) {
            await mkdir(path.dirname(file), { recursive: true });
            await writeFile(file, 'foreign');
          }
          return async () => {
            const texts = await Promise.all(files.map(file => readFile(file, 'utf8').catch(() => '')));
            return texts.every(text => text === 'foreign');
          };
        },
        writeLog: async (id, line) => {
          const [layout] = await layouts(id);
          if (layout) await appendFile(path.join(layout.reserved, 'server.log'), `${line}\n`);
        },
        crash,
        loseServer,
        loseHome: async id => {
          await loseServer(id);
          const [layout] = await layouts(id);
          if (layout) await rm(layout.home, { recursive: true });
        },
      },
      cleanup: async () => {
        await host.stop();
        restorePath();
      },
    };
  });
});
