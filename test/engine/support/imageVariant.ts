import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type Dockerode from 'dockerode';
import { archiveOf } from '../../../src/providers/docker/archive.ts';

/** What makes an image another one. */
export interface Variant {
  /** Lines of a Dockerfile, as `ENV NAME=value`. */
  readonly changes?: readonly string[];
  /** Texts by path, without a slash in front. */
  readonly files?: Readonly<Record<string, string>>;
  /** Runs in it as root. */
  readonly run?: string;
}

/** Makes an image of another one that has a shell, as `FROM` does; answers with its name. */
export async function variantOf(docker: Dockerode, base: string, variant: Variant): Promise<string> {
  const { changes = [], files = {}, run } = variant;
  const Cmd = ['/bin/sh', '-c', run ?? 'true'];
  const container = await docker.createContainer({ Image: base, User: '0:0', Entrypoint: [], Cmd });
  try {
    const entries = Object.entries(files).map(([name, text]) => ({ name, mode: 0o755, text }));
    await container.putArchive(await archiveOf(entries, { uid: 0, gid: 0 }), { path: '/' });
    if (run !== undefined) {
      await container.start();
      const { StatusCode } = (await container.wait()) as { StatusCode: number };
      if (StatusCode !== 0) throw new Error(`"${run}" ended with ${StatusCode}`);
    }
    const repo = `remote-swarm-test/variant-${randomBytes(6).toString('hex')}`;
    // What was made of the command goes again.
    await container.commit({ repo, tag: '1', changes: ['ENTRYPOINT []', 'CMD []', 'USER 0', ...changes].join('\n') });
    return `${repo}:1`;
  } finally {
    await container.remove({ force: true, v: true });
  }
}

/** An image with nothing in it that says that it is for another processor; answers with its name. */
export async function foreignImage(docker: Dockerode): Promise<string> {
  const name = 'remote-swarm-test/foreign:1';
  const layer = (await archiveOf([{ name: 'etc', mode: 0o755 }])).toString('latin1');
  const config = {
    ...{ architecture: 'arm64', os: 'linux', config: {} },
    rootfs: { type: 'layers', diff_ids: [`sha256:${createHash('sha256').update(layer, 'latin1').digest('hex')}`] },
  };
  const manifest = [{ Config: 'config.json', RepoTags: [name], Layers: ['layer.tar'] }];
  const files = {
    'config.json': JSON.stringify(config),
    'manifest.json': JSON.stringify(manifest),
    'layer.tar': layer,
  };
  const entries = Object.entries(files).map(([file, content]) => ({ name: file, mode: 0o644, text: content }));
  const said = await text(await docker.loadImage(Readable.from([await archiveOf(entries)])));
  if (/"error"/.test(said)) throw new Error(said);
  return name;
}
