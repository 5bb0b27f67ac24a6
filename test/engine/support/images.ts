import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { text } from 'node:stream/consumers';
import type Dockerode from 'dockerode';
import { editorServerVersion } from '../../../src/providers/editorServer.ts';
import { installEditorServer } from '../../../src/providers/editorServerInstaller.ts';

const repository = path.resolve(import.meta.dirname, '../../..');
const serverRoot = '/usr/lib/code-server';
/** Changes whenever what this module makes does. */
const recipe = createHash('sha256')
  .update(readFileSync(import.meta.filename))
  .digest('hex')
  .slice(0, 12);

/** Images of the tests; each is made without a registry, from this machine's own files, when the engine lacks it. */
export const testImage = {
  /** Laid out as code-server's image is: glibc, a shell with the usual tools, git, and the editor server with its node. */
  codeServer: `remote-swarm-test/code-server:${editorServerVersion}`,
  /** The same with a small program in the editor server's place, which answers as it does: starts in a tenth of the time. */
  stub: 'remote-swarm-test/stub-server:1',
  /** glibc and tools, and no editor server. */
  plain: 'remote-swarm-test/plain:1',
  /** One file, no C library. */
  bare: 'remote-swarm-test/bare:1',
  /** As {@link bare}, with the file by which musl is known. */
  musl: 'remote-swarm-test/musl:1',
} as const;
export type TestImage = keyof typeof testImage;

/** Sees that the engine has the image, of this recipe, and answers with its reference. */
export async function ensureTestImage(docker: Dockerode, image: TestImage): Promise<string> {
  const reference = testImage[image];
  const found = await docker
    .getImage(reference)
    .inspect()
    .catch(() => undefined);
  if (found?.Config.Labels?.recipe === recipe) return reference;
  const staging = mkdtempSync(path.join(tmpdir(), 'remote-swarm-image-'));
  try {
    const folders = await stage(image, staging);
    const tar = spawn('tar', ['-c', '--owner=0', '--group=0', ...folders], { stdio: ['ignore', 'pipe', 'inherit'] });
    // With its tag in the name: not each engine reads one that is given by itself.
    const options = { repo: reference, changes: [`LABEL recipe=${recipe}`, 'ENV PATH=/usr/bin:/bin'] };
    const answer = await docker.importImage(tar.stdout, options);
    const said = await text(answer);
    if (/"error"/.test(said)) throw new Error(said);
    return reference;
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** Arguments for `tar` that put the image's root together. */
async function stage(image: TestImage, staging: string): Promise<string[]> {
  const put = (file: string, content: string, mode = 0o644) => {
    mkdirSync(path.dirname(path.join(staging, file)), { recursive: true });
    writeFileSync(path.join(staging, file), content, { mode });
  };
  put('etc/os-release', 'ID=test\n');
  if (image === 'musl') put('lib/ld-musl-x86_64.so.1', 'musl');
  if (image === 'bare' || image === 'musl') return ['-C', staging, '.'];

  const server = await installEditorServer(path.join(repository, '.runtime', 'editor-server'));
  if (server.kind !== 'node') throw new Error('the installed editor server has no node');
  stageBase(staging, put, server.node);
  if (image === 'plain') return ['-C', staging, '.'];

  const vscode = path.resolve(server.serverMain, '../..');
  mkdirSync(path.join(staging, serverRoot, 'lib'), { recursive: true });
  copyFileSync(server.node, path.join(staging, serverRoot, 'lib/node'));
  if (image === 'stub') {
    put(
      `${serverRoot}/lib/vscode/out/server-main.js`,
      readFileSync(path.join(import.meta.dirname, 'stubServer.mjs'), 'utf8'),
    );
    return ['-C', staging, '.'];
  }
  for (const native of globSync('**/{build/Release,prebuilds/linux-x64}/*.node', {
    cwd: path.join(vscode, 'node_modules'),
  })) {
    stageLibraries(staging, path.join(vscode, 'node_modules', native));
  }
  return [
    '-C',
    staging,
    '.',
    ...prune,
    '--transform',
    `s,^vscode,.${serverRoot}/lib/vscode,`,
    '-C',
    path.dirname(vscode),
    'vscode',
  ];
}

/** What no test needs of the editor server: more than half of it. */
const prune = [
  ...['*.map', '*musl*', '*win32*', '*darwin*', '*arm64*', 'deps', 'obj.target'],
  ...[
    'vscode/node_modules/@github',
    'vscode/node_modules/@microsoft/mxc-sdk',
    'vscode/extensions/copilot',
    'vscode/extensions/mermaid*',
  ],
].map(pattern => `--exclude=${pattern}`);

const tools =
  'sh bash cat ls cp mv rm mkdir rmdir ln touch chmod stat head tail wc sort uniq tr cut cksum sha256sum readlink find grep sed awk tar gzip env id pwd echo printf date sleep kill true false test seq dd tee sync xargs nohup uname hostname stty git nc whoami locale ssh';

function stageBase(staging: string, put: (file: string, content: string, mode?: number) => void, node: string): void {
  for (const folder of [
    'usr/bin',
    'usr/lib',
    'usr/lib64',
    'proc',
    'sys',
    'dev',
    'tmp',
    'root',
    'home/coder',
    'etc/ssl/certs',
  ]) {
    mkdirSync(path.join(staging, folder), { recursive: true });
  }
  chmodSync(path.join(staging, 'tmp'), 0o1777);
  for (const folder of ['bin', 'lib', 'lib64']) symlinkSync(`usr/${folder}`, path.join(staging, folder));
  for (const tool of tools.split(' ')) {
    const file = ['/usr/bin', '/bin'].map(folder => path.join(folder, tool)).find(existsSync);
    if (!file) continue;
    copyFileSync(file, path.join(staging, 'usr/bin', tool));
    stageLibraries(staging, file);
  }
  for (const helper of ['git-remote-http', 'git-remote-https']) {
    const file = `/usr/lib/git-core/${helper}`;
    if (!existsSync(file)) continue;
    mkdirSync(path.join(staging, 'usr/lib/git-core'), { recursive: true });
    copyFileSync(file, path.join(staging, file));
    stageLibraries(staging, file);
  }
  stageLibraries(staging, node);
  for (const file of globSync(
    '/lib/*-linux-gnu/{libnss_files,libnss_dns,libresolv,libutil,libpthread,libdl,librt}.so*',
  )) {
    stageFile(staging, file);
  }
  for (const file of globSync('/usr/lib/locale/C.utf8/**', { withFileTypes: true })) {
    if (file.isFile()) stageFile(staging, path.join(file.parentPath, file.name));
  }
  if (existsSync('/etc/ssl/certs/ca-certificates.crt')) stageFile(staging, '/etc/ssl/certs/ca-certificates.crt');
  put('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\ncoder:x:1000:1000::/home/coder:/bin/bash\n');
  put('etc/group', 'root:x:0:\ncoder:x:1000:\n');
  put('etc/nsswitch.conf', 'hosts: files dns\n');
}

/** The shared libraries that a program or a module of this machine loads; none of one for another system. */
function stageLibraries(staging: string, program: string): void {
  const { stdout: listed } = spawnSync('ldd', [program], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  for (const [library] of listed.matchAll(/\/[^ )]*/g)) stageFile(staging, library);
}

function stageFile(staging: string, file: string): void {
  const target = path.join(staging, file.replace(/^\/(lib|lib64|bin)\//, '/usr/$1/'));
  if (existsSync(target)) return;
  mkdirSync(path.dirname(target), { recursive: true });
  copyFileSync(file, target);
}
